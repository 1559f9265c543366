"""The simplest routes: `/chat`, which takes three bodies, and `/embed`."""

from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.api import ask_once
from vllm_gateway.dialects.bodies import EmbeddingsBody, MessagesBody
from vllm_gateway.dialects.completions import read_completion
from vllm_gateway.dialects.composing import chat, embeddings
from vllm_gateway.dialects.plain import missing, read_as
from vllm_gateway.dialects.sessions import read_turn
from vllm_gateway.exchange import Asked


def read_chat(fields: dict[str, Any]) -> Asked:
    """Read a body of `/chat`: a turn of a session, a conversation, or a single question, told apart by field.

    A field that is null counts as missing.

    Raises:
        BodyInvalid: it is none of them, or fields of it are wrong.
    """
    if fields.get("session_id") is not None:
        return read_turn(fields)
    if fields.get("messages") is not None:
        body = read_as(MessagesBody, fields)
        asked = chat(fields, body, fields["messages"], stream=bool(body.stream))
        asked.reply = with_content
        return asked
    if fields.get("message") is not None:
        return ask_once(fields, streams=False)
    raise missing("messages")


def read_embed(fields: dict[str, Any]) -> Asked:
    """Read a body of `/embed`.

    Raises:
        BodyInvalid: fields of it are wrong.
    """
    return embeddings(fields, read_as(EmbeddingsBody, fields))


def with_content(completion: bytes) -> bytes:
    """Return a chat completion with the text and the reason of its end at the top as well."""
    answer = read_completion(completion)
    choice = answer["choices"][0]
    return codec.dumps(
        {**answer, "content": choice["message"].get("content") or "", "finish_reason": choice.get("finish_reason")}
    )
