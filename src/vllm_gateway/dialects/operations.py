"""The routes that a replica answers: which there are, who speaks there, and how their bodies are read."""

from collections.abc import Callable
from typing import Any

from vllm_gateway.dialects.anthropic import MESSAGE_EVENTS, Anthropic
from vllm_gateway.dialects.api import read_api_chat, read_api_chat_stream, read_api_embeddings
from vllm_gateway.dialects.kept_responses import read_wish
from vllm_gateway.dialects.openai import CHUNKS, RESPONSE_EVENTS, OpenAI, OpenAIResponses
from vllm_gateway.dialects.plain import Plain
from vllm_gateway.dialects.reading import Choices, choices_asked_for, choices_of_prompts, parse, understand
from vllm_gateway.dialects.sessions import read_session_chat
from vllm_gateway.dialects.simple import read_chat, read_embed
from vllm_gateway.dialects.sse import Marks
from vllm_gateway.exchange import Asked, Dialect, Operation

Reader = Callable[[dict[str, Any]], Asked]
"""Understands the object of a body."""


def build_operations(
    *, max_json_depth: int, check_size: Callable[[bytes], None] = lambda _: None
) -> dict[str, Operation]:
    """Return the routes by path; every other path is none of a replica's business.

    `check_size` refuses a body that would take too long to parse.
    """
    openai, anthropic, plain = OpenAI(), Anthropic(), Plain()

    def parsed(body: bytes) -> dict[str, Any]:
        check_size(body)
        return parse(body, max_json_depth)

    def own(path: str, dialect: Dialect, marks: Marks | None = None, choices: Choices | None = None) -> Operation:
        """Return a route of vLLM's own: the caller's bytes are the replica's."""

        def read(body: bytes) -> Asked:
            return understand(parsed(body), body, path, marks=marks, choices=choices)

        return Operation(path, dialect, read)

    def responses(body: bytes) -> Asked:
        asked = understand(parsed(body), body, "/v1/responses", marks=RESPONSE_EVENTS)
        asked.keeping = read_wish(asked.fields)
        return asked

    def ours(
        path: str,
        read: Reader,
        *,
        dialect: Dialect = plain,
        takes_session_id: bool = False,
        has_heartbeat: bool = False,
    ) -> Operation:
        """Return a route that only the gateway has: its body becomes one that a replica understands."""
        anew = _written_anew(parsed, read)
        return Operation(path, dialect, anew, takes_session_id=takes_session_id, has_heartbeat=has_heartbeat)

    offered = [
        own("/v1/chat/completions", openai, CHUNKS, choices_asked_for),
        own("/v1/completions", openai, CHUNKS, choices_of_prompts),
        own("/v1/embeddings", openai),
        Operation("/v1/responses", OpenAIResponses(), responses),
        own("/v1/messages", anthropic, MESSAGE_EVENTS),
        own("/v1/messages/count_tokens", anthropic),
        own("/v1/rerank", openai),
        own("/v1/score", openai),
        own("/tokenize", openai),
        own("/detokenize", openai),
        ours("/chat", read_chat, takes_session_id=True, has_heartbeat=True),
        ours("/embed", read_embed),
        ours("/api/chat", read_api_chat, has_heartbeat=True),
        ours("/api/chat/stream", read_api_chat_stream, has_heartbeat=True),
        ours("/api/embeddings", read_api_embeddings),
        ours("/v1/sessions/{id}/chat", read_session_chat, dialect=openai, has_heartbeat=True),
    ]
    return {each.path: each for each in offered}


def _written_anew(parsed: Callable[[bytes], dict[str, Any]], read: Reader) -> Callable[[bytes], Asked]:
    """Return what understands a body of which another is made for the replica."""

    def read_bytes(body: bytes) -> Asked:
        fields = parsed(body)
        asked = read(fields)
        asked.sent = fields
        return asked

    return read_bytes
