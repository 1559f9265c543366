"""From the bodies of the gateway's own routes to those of vLLM's."""

from collections.abc import Collection
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.bodies import EmbeddingsBody, ParametersBody, SamplingBody
from vllm_gateway.dialects.openai import CHUNKS
from vllm_gateway.dialects.plain import invalid_fields
from vllm_gateway.dialects.reading import choices_asked_for, understand
from vllm_gateway.exchange import Asked, Saying

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"

_OWN = frozenset({"modelKey", "extra", "message", "messages", "system", "session_id", "stream"})
"""Fields that only the gateway understands, or that it sets itself."""
_NUMBERS = ("temperature", "top_p", "max_tokens", "max_completion_tokens")
"""Fields that may be written as texts, and are numbers from here on."""
_NOT_EXTRA = _OWN | {"model", "stream_options"}
"""What `extra` may not hold, because it would contradict the body around it."""


def chat(fields: dict[str, Any], body: SamplingBody, messages: list[Any], *, stream: bool) -> Asked:
    """Return the chat completion that a body asks for; `fields` is the body as it was sent.

    Raises:
        BodyInvalid: `extra` names something that has its own place in the body.
    """
    outgoing = {"messages": messages, **parameters(fields, body), "stream": stream}
    return _asked(outgoing, body.model_key)


def said(fields: dict[str, Any], body: SamplingBody, saying: Saying, *, stream: bool) -> Asked:
    """Return what is asked of a session; its messages are added when they are known."""
    own = parameters(fields, body)
    if own.get("n") not in (None, 1):  # no set: what was sent may be a list
        raise invalid_fields(
            [{"type": "value_error", "loc": ["body", "n"], "msg": "A session has one answer per turn", "input": None}]
        )
    outgoing = {**own, "stream": stream}
    asked = understand(outgoing, b"", CHAT, marks=CHUNKS)
    asked.saying = saying
    return _wherever(asked, body.model_key)


def embeddings(fields: dict[str, Any], body: EmbeddingsBody) -> Asked:
    """Return the embeddings that a body asks for."""
    outgoing = without(fields, {"modelKey"})
    return _wherever(understand(outgoing, codec.dumps(outgoing), EMBEDDINGS), body.model_key)


def parameters(fields: dict[str, Any], body: SamplingBody) -> dict[str, Any]:
    """Return what a body says beside its messages, `extra` included."""
    extra: dict[str, Any] = fields.get("extra") or {}
    if contradictions := sorted(_NOT_EXTRA & extra.keys()):
        raise invalid_fields(
            [
                {"type": "value_error", "loc": ["body", "extra", name], "msg": "Has its own place", "input": None}
                for name in contradictions
            ]
        )
    checked_extra = _numbers(extra, body.extra) if body.extra is not None else {}
    return without(fields, _OWN) | _numbers(fields, body) | extra | checked_extra


def without(fields: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the fields but those of `names`."""
    return {name: value for name, value in fields.items() if name not in names}


def _numbers(fields: dict[str, Any], body: ParametersBody) -> dict[str, Any]:
    """Return the numbers among the fields as they were understood."""
    return {name: getattr(body, name) for name in _NUMBERS if name in fields}


def _asked(outgoing: dict[str, Any], route: str | None) -> Asked:
    asked = understand(outgoing, codec.dumps(outgoing), CHAT, marks=CHUNKS, choices=choices_asked_for)
    return _wherever(asked, route)


def _wherever(asked: Asked, route: str | None) -> Asked:
    """Return what was just understood, for a route or for all of them, and for any model where none is named."""
    asked.route, asked.is_any_model = route, True
    return asked
