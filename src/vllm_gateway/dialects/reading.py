"""From bytes to what is asked: as much of a body as routing and relaying need."""

from collections.abc import Callable
from functools import partial
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.openai import CHUNKS
from vllm_gateway.dialects.sse import Marks, PlainWatch, StreamWatch
from vllm_gateway.errors import BodyMalformed, FieldInvalid
from vllm_gateway.exchange import Asked

Choices = Callable[[dict[str, Any]], int]
"""Says how many choices a body asks for."""


def parse(body: bytes, max_json_depth: int) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        BodyMalformed: it is not a JSON object, or nested too deeply.
    """
    try:
        fields = codec.loads(body)
    except codec.MalformedJson as error:
        raise BodyMalformed(f"The body is not valid JSON: {_first_clause(error)}.") from None
    if not isinstance(fields, dict):
        raise BodyMalformed("The body must be a JSON object.")
    if body.count(b"{") + body.count(b"[") > max_json_depth and codec.is_deeper(fields, max_json_depth):
        raise BodyMalformed(f"The body is nested more than {max_json_depth} levels deep.")
    return fields


def understand(
    fields: dict[str, Any], body: bytes, path: str, *, marks: Marks | None = None, choices: Choices | None = None
) -> Asked:
    """Return what the replica's route `path` is asked for by `body`, whose object is `fields`.

    Raises:
        FieldInvalid: `model` or `modelKey` is no name, or `stream` is neither true nor false.
    """
    model = fields.get("model")
    if model is not None and not isinstance(model, str):
        raise FieldInvalid("'model' must be the name of a model.", param="model")
    route = fields.get("modelKey")
    if route is not None and not isinstance(route, str):
        raise FieldInvalid("'modelKey' must be the name of a route.", param="modelKey")
    stream = fields.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise FieldInvalid("'stream' must be true or false.", param="stream")
    stream = bool(stream)
    is_chunks = stream and marks is CHUNKS
    adds_usage = is_chunks and _lacks_usage(fields)
    count = choices(fields) if choices else 1
    return Asked(
        path=path,
        body=body,
        fields=fields,
        model=model or None,
        stream=stream,
        adds_usage=adds_usage,
        new_watch=PlainWatch if marks is None else partial(StreamWatch, marks, choices=count, drop_usage=adds_usage),
        choices=count,
        is_chunks=is_chunks,
        route=route or None,
    )


def _first_clause(error: ValueError) -> str:
    """Say where and what, without the words of the library around it."""
    return str(error).split(":", maxsplit=1)[0]


def _lacks_usage(fields: dict[str, Any]) -> bool:
    """Say whether the caller did not ask for the usage; what is no object at all is left for the replica to judge."""
    options = fields.get("stream_options")
    return options is None or (isinstance(options, dict) and not options.get("include_usage"))


def choices_asked_for(fields: dict[str, Any]) -> int:
    """Return how many choices a chat is to have."""
    count = fields.get("n")
    return count if isinstance(count, int) and count > 0 else 1


def choices_of_prompts(fields: dict[str, Any]) -> int:
    """Return how many choices a completion is to have: so many for each prompt."""
    prompt = fields.get("prompt")
    is_several = isinstance(prompt, list) and bool(prompt) and isinstance(prompt[0], str | list)
    return choices_asked_for(fields) * (len(prompt) if is_several and isinstance(prompt, list) else 1)
