"""The description of the routes that a replica answers, for `/openapi.json`, `/docs` and `/redoc`.

The framework describes the routes that it runs. Those of the lane it does not run, so they are written down here: the
gateway's own with the models that check their bodies, vLLM's with the fields that everybody needs.
"""

from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from vllm_gateway.dialects.bodies import EmbeddingsBody, MessagesBody, OneMessageBody, SessionChatBody, TurnBody
from vllm_gateway.edge.house.examples import ANSWERS, ID
from vllm_gateway.edge.house.refusals import SHAPES, of_house, of_replicas

Schema = dict[str, Any]
_TAGS = (
    "OpenAI",
    "Anthropic",
    "vLLM",
    "models",
    "sessions",
    "responses",
    "chat",
    "api",
    "sessions, first shape",
    "health",
    "metrics",
)
_REF = "#/components/schemas/{model}"
_UNREADY = ("/readyz", "/startupz")
_PROBES = ("/health", "/livez", "/api/healthz", *_UNREADY)
"""Routes that refuse nothing."""
_KEY: list[Schema] = [{}, {"key": []}]
"""How a route that asks for a key says so; a gateway without keys takes none."""
_WITH_KEY = ("/api/models", "/metrics")
_NAMING = ("/set_system_prompt", "/stop_session")
"""Routes whose bodies name a session."""
_MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]


@dataclass(frozen=True, slots=True)
class Page:
    """What is told of one route."""

    tag: str
    summary: str
    example: Schema
    """A body that works; the first one of several."""
    bodies: tuple[type[BaseModel], ...] = ()
    """The bodies that it takes; none for a route of vLLM's own, whose fields are vLLM's."""
    required: tuple[str, ...] = ()
    """Fields that a body of vLLM's own route must have."""
    streams: bool = False
    always: bool = False
    """It streams whatever the body says."""
    answer: Schema | None = None
    """An answer in one piece, as an example."""
    others: dict[str, tuple[Schema, Schema]] = field(default_factory=dict)
    """More bodies that it takes, by name, each with its answer."""


_COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1795219840,
    "model": "Qwen/Qwen2.5-7B-Instruct",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Because ..."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 30, "total_tokens": 42},
}
_EMBEDDINGS = {
    "object": "list",
    "model": "BAAI/bge-m3",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}
_TURN = {
    "reply": "Hello! How can I help?",
    "finish_reason": "stop",
    "total_tokens": 25,
    "input_tokens": 17,
    "output_tokens": 8,
    "session_id": ID,
    "expires_in": 600,
}

PAGES: dict[str, Page] = {
    "/v1/chat/completions": Page(
        "OpenAI",
        "A chat completion; every parameter of vLLM's passes",
        {"model": "Qwen/Qwen2.5-7B-Instruct", "messages": _MESSAGES, "max_tokens": 64, "stream": False},
        required=("messages",),
        streams=True,
        answer=_COMPLETION,
    ),
    "/v1/completions": Page(
        "OpenAI",
        "A completion of a text or of token ids",
        {"model": "Qwen/Qwen2.5-7B-Instruct", "prompt": "Once upon a time", "max_tokens": 64},
        required=("prompt",),
        streams=True,
    ),
    "/v1/embeddings": Page(
        "OpenAI", "Embeddings", {"model": "BAAI/bge-m3", "input": ["a text"]}, required=("input",), answer=_EMBEDDINGS
    ),
    "/v1/responses": Page(
        "OpenAI",
        "A response; kept by the gateway unless `store` is false, and continued with `previous_response_id`",
        {"model": "Qwen/Qwen2.5-7B-Instruct", "input": "Why is the sky blue?"},
        required=("input",),
        streams=True,
    ),
    "/v1/messages": Page(
        "Anthropic",
        "A message, in Anthropic's shape",
        {"model": "Qwen/Qwen2.5-7B-Instruct", "messages": _MESSAGES, "max_tokens": 64},
        required=("messages", "max_tokens"),
        streams=True,
    ),
    "/v1/messages/count_tokens": Page(
        "Anthropic",
        "How many tokens a message takes",
        {"model": "Qwen/Qwen2.5-7B-Instruct", "messages": _MESSAGES},
        required=("messages",),
        answer={"input_tokens": 12},
    ),
    "/v1/rerank": Page(
        "vLLM",
        "Documents in the order of their relevance",
        {"model": "BAAI/bge-reranker-v2-m3", "query": "sky", "documents": ["It is blue.", "It is green."]},
        required=("query", "documents"),
    ),
    "/v1/score": Page(
        "vLLM",
        "How well texts go together",
        {"model": "BAAI/bge-reranker-v2-m3", "text_1": "sky", "text_2": ["It is blue."]},
    ),
    "/tokenize": Page(
        "vLLM",
        "The token ids of a text or of a conversation",
        {"model": "Qwen/Qwen2.5-7B-Instruct", "prompt": "Why is the sky blue?"},
        answer={"count": 6, "max_model_len": 4096, "tokens": [10234, 374, 279, 12884, 6303, 30]},
    ),
    "/detokenize": Page(
        "vLLM",
        "The text of token ids",
        {"model": "Qwen/Qwen2.5-7B-Instruct", "tokens": [10234, 374]},
        required=("tokens",),
        answer={"prompt": "Why is"},
    ),
    "/chat": Page(
        "chat",
        "A conversation, a turn of a session, or a single question, told apart by their fields",
        {"messages": _MESSAGES, "max_tokens": 64},
        bodies=(MessagesBody, TurnBody, OneMessageBody),
        streams=True,
        answer={**_COMPLETION, "content": "Because ...", "finish_reason": "stop"},
        others={
            "a turn of a session": ({"session_id": ID, "message": "Hello", "extra": {"top_k": 20}}, _TURN),
            "a single question": ({"message": "Why is the sky blue?", "modelKey": "default"}, _COMPLETION),
        },
    ),
    "/embed": Page("chat", "Embeddings", {"input": "a text"}, bodies=(EmbeddingsBody,), answer=_EMBEDDINGS),
    "/api/chat": Page(
        "api",
        "A conversation, streamed unless `stream` is false, or a single question, answered in one piece",
        {"messages": _MESSAGES, "stream": False},
        bodies=(MessagesBody, OneMessageBody),
        streams=True,
        answer=_COMPLETION,
    ),
    "/api/chat/stream": Page(
        "api",
        "The same, always streamed, with comments while the model is silent",
        {"message": "Why is the sky blue?"},
        bodies=(MessagesBody, OneMessageBody),
        streams=True,
        always=True,
    ),
    "/api/embeddings": Page("api", "Embeddings", {"input": "a text"}, bodies=(EmbeddingsBody,), answer=_EMBEDDINGS),
    "/v1/sessions/{id}/chat": Page(
        "sessions",
        "What is said next in a session; the gateway adds what was said before",
        {"message": "Hello", "max_tokens": 64},
        bodies=(SessionChatBody,),
        streams=True,
        answer={
            **_COMPLETION,
            "session": {
                "id": ID,
                "turns": 1,
                "expires_in": 600,
                "messages_in_context": 2,
            },
        },
    ),
}


def describe(house: FastAPI) -> None:
    """Have `/openapi.json` tell of every route of the gateway."""
    build = house.openapi

    def complete() -> Schema:
        schema = build()
        if "/chat" not in schema["paths"]:
            models = list(dict.fromkeys(model for page in PAGES.values() for model in page.bodies))
            _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
            schema["components"].setdefault("schemas", {}).update(definitions.get("$defs", {}) | SHAPES)
            schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for path, methods in schema["paths"].items():
                for method, operation in methods.items():
                    _complete(operation, method, path)
            for path, page in PAGES.items():
                schema["paths"].setdefault(path, {})["post"] = _operation(path, page)
            schema["tags"] = [{"name": tag} for tag in _TAGS]
        return schema

    house.openapi = complete  # type: ignore[method-assign] # the way that FastAPI offers for this


def _complete(operation: Schema, method: str, path: str) -> None:
    """Add what the framework cannot know of its own routes: an answer, and what is answered instead."""
    answers = operation["responses"]
    if (example := ANSWERS.get((method, path))) is not None:
        done = answers.get("200") or answers["201"]
        done["content"] = {"application/json": {"schema": {"type": "object"}, "example": example}}
    if path.endswith("/export"):
        answers["200"]["content"]["text/markdown"] = {"schema": {"type": "string"}}
    answers.pop("422", None)
    if path in _PROBES:
        if path in _UNREADY:
            answers["503"] = {"description": "Not yet, or no longer", "content": answers["200"]["content"]}
        return
    if path.startswith("/v1/") or path in _WITH_KEY:
        operation["security"] = _KEY
    has_body = "requestBody" in operation
    answers |= of_house(path, has_body=has_body, names="{" in path or path in _NAMING or _is_paged(operation))


def _is_paged(operation: Schema) -> bool:
    """Say whether a query may name what a page begins behind."""
    return any(parameter["name"] == "after" for parameter in operation.get("parameters", ()))


def _operation(path: str, page: Page) -> Schema:
    operation: Schema = {
        "tags": [page.tag],
        "summary": page.summary,
        "operationId": "post_" + path.strip("/").replace("/", "_").replace("{", "").replace("}", ""),
        "security": _KEY,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _body(page), **_examples(page, 0)}},
        },
        "responses": {"200": _answer(page)} | of_replicas(path),
    }
    if "{id}" in path:
        operation["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return operation


def _body(page: Page) -> Schema:
    refs = [{"$ref": _REF.format(model=model.__name__)} for model in page.bodies]
    if refs:
        return refs[0] if len(refs) == 1 else {"anyOf": refs}
    properties: Schema = {name: {} for name in page.example}
    properties |= {"model": {"type": "string"}} | ({"stream": {"type": "boolean"}} if page.streams else {})
    return {
        "type": "object",
        "properties": properties,
        "required": list(page.required),
        "additionalProperties": True,
    }


def _examples(page: Page, side: int) -> Schema:
    """Return the example bodies (side 0) or answers (side 1) of a page."""
    first = (page.example, page.answer)
    if not page.others:
        return {"example": first[side]}
    pairs = {"a conversation": first, **page.others}
    return {"examples": {name: {"value": pair[side]} for name, pair in pairs.items()}}


def _answer(page: Page) -> Schema:
    events = {"text/event-stream": {"schema": {"description": "Server-sent events"}}}
    if page.always:
        return {"description": "A stream of events", "content": events}
    content: Schema = {"application/json": {"schema": {"type": "object"}}}
    if page.answer is not None:
        content["application/json"] |= _examples(page, 1)
    if page.streams:
        content |= events
    return {"description": "The answer; a stream of events where `stream` is true", "content": content}
