"""What the gateway owns in a body: fields that it takes out, refuses, or sets itself."""

from typing import Any

from vllm_gateway.admission.members import edited
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.exchange import Asked

STRIPPED = frozenset({"kv_transfer_params", "ec_transfer_params", "priority"})
"""Fields that would let a caller past others: the first two can replace the rendered prompt or name hosts to the engine
(vLLM PR #51137), the third jumps the queue."""

_REPLACED = {
    "guided_json": "json",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
}
"""Names that vLLM has removed, and what they are called inside `structured_outputs` now. vLLM accepts unknown fields in
silence, so the answer would come unconstrained."""

_USAGE_WANTED = b',"stream_options":{"include_usage":true}}'


def check(asked: Asked) -> None:
    """Refuse what a replica would silently ignore.

    Raises:
        FieldInvalid: the body uses a removed name.
    """
    for name, now in _REPLACED.items():
        if name in asked.fields:
            raise FieldInvalid(
                f"'{name}' is no longer understood by vLLM; use 'structured_outputs': {{'{now}': ...}}.", param=name
            )


def outgoing_body(body: bytes, asked: Asked, model: str | None) -> bytes:
    """Return the body for a replica: the caller's own bytes wherever nothing has to change."""
    changes: dict[str, Any] = {}
    if model is not None and model != asked.fields.get("model"):
        changes["model"] = model
    if asked.adds_usage:
        changes["stream_options"] = _with_usage(asked.fields.get("stream_options"))
    if not STRIPPED.isdisjoint(asked.fields):
        return edited(body, changes=changes, without=STRIPPED)
    if not changes:
        return body
    if changes.keys() == {"stream_options"} and "stream_options" not in asked.fields:
        return body.rstrip()[:-1] + _USAGE_WANTED  # by far the most common change, and the cheapest
    return edited(body, changes=changes)


def _with_usage(options: object) -> dict[str, Any]:
    """Ask for the usage at the end, and only there: usage on every chunk works only when the caller asked for both."""
    kept = options if isinstance(options, dict) else {}
    return {name: value for name, value in kept.items() if name != "continuous_usage_stats"} | {"include_usage": True}
