"""The routes that a replica answers: which there are, who speaks there, and how their bodies are read."""

from collections.abc import Callable
from functools import partial
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.anthropic import MESSAGE_EVENTS, Anthropic
from vllm_gateway.dialects.openai import CHUNKS, RESPONSE_EVENTS, OpenAI, OpenAIResponses
from vllm_gateway.dialects.sse import Marks, PlainWatch, StreamWatch
from vllm_gateway.errors import BodyMalformed, FieldInvalid
from vllm_gateway.exchange import Asked, Dialect, Operation

Choices = Callable[[dict[str, Any]], int]
"""Says how many choices a body asks for."""


def build_operations(*, max_json_depth: int) -> dict[str, Operation]:
    """Return the routes by path; every other path is none of a replica's business."""
    openai, anthropic = OpenAI(), Anthropic()

    def operation(path: str, dialect: Dialect, marks: Marks | None = None, choices: Choices | None = None) -> Operation:
        return Operation(path, dialect, partial(read_body, max_json_depth=max_json_depth, marks=marks, choices=choices))

    offered = [
        operation("/v1/chat/completions", openai, CHUNKS, _asked_for),
        operation("/v1/completions", openai, CHUNKS, _prompts_times_asked_for),
        operation("/v1/embeddings", openai),
        operation("/v1/responses", OpenAIResponses(), RESPONSE_EVENTS),
        operation("/v1/messages", anthropic, MESSAGE_EVENTS),
        operation("/v1/messages/count_tokens", anthropic),
        operation("/v1/rerank", openai),
        operation("/v1/score", openai),
        operation("/tokenize", openai),
        operation("/detokenize", openai),
    ]
    return {each.path: each for each in offered}


def read_body(body: bytes, *, max_json_depth: int, marks: Marks | None, choices: Choices | None) -> Asked:
    """Understand as much of a body as routing and relaying need.

    Raises:
        BodyMalformed: it is not a JSON object, or nested too deeply.
        FieldInvalid: `model` is no name or `stream` is neither true nor false.
    """
    try:
        fields = codec.loads(body)
    except codec.MalformedJson as error:
        raise BodyMalformed(f"The body is not valid JSON: {_first_clause(error)}.") from None
    if not isinstance(fields, dict):
        raise BodyMalformed("The body must be a JSON object.")
    if body.count(b"{") + body.count(b"[") > max_json_depth and _is_deeper(fields, max_json_depth):
        raise BodyMalformed(f"The body is nested more than {max_json_depth} levels deep.")
    model = fields.get("model")
    if model is not None and not isinstance(model, str):
        raise FieldInvalid("'model' must be the name of a model.", param="model")
    stream = fields.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise FieldInvalid("'stream' must be true or false.", param="stream")
    adds_usage = bool(stream) and marks is CHUNKS and _lacks_usage(fields)
    return Asked(
        fields=fields,
        model=model or None,
        stream=bool(stream),
        adds_usage=adds_usage,
        new_watch=PlainWatch
        if marks is None
        else partial(StreamWatch, marks, choices=choices(fields) if choices else 1, drop_usage=adds_usage),
    )


def _first_clause(error: ValueError) -> str:
    """Say where and what, without the words of the library around it."""
    return str(error).split(":", maxsplit=1)[0]


def _is_deeper(value: object, levels: int) -> bool:
    """Say whether a JSON value has more nested levels than allowed; without recursion, for it may be hostile."""
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)


def _lacks_usage(fields: dict[str, Any]) -> bool:
    """Say whether the caller did not ask for the usage; what is no object at all is left for the replica to judge."""
    options = fields.get("stream_options")
    return options is None or (isinstance(options, dict) and not options.get("include_usage"))


def _asked_for(fields: dict[str, Any]) -> int:
    count = fields.get("n")
    return count if isinstance(count, int) and count > 0 else 1


def _prompts_times_asked_for(fields: dict[str, Any]) -> int:
    prompt = fields.get("prompt")
    is_several = isinstance(prompt, list) and bool(prompt) and isinstance(prompt[0], str | list)
    return _asked_for(fields) * (len(prompt) if is_several and isinstance(prompt, list) else 1)
