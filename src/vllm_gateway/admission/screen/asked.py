"""What a request says, held against the deny-list."""

from typing import Any

from vllm_gateway.admission.screen.patterns import DenyList
from vllm_gateway.admission.screen.texts import texts
from vllm_gateway.errors import ContentRefused, FieldInvalid

_UNSAID = {
    "model",
    "modelKey",
    "session_id",
    "previous_response_id",
    "request_id",
    "stream",
    "stream_options",
    "tokens",
} | {"cache_salt", "user", "safety_identifier", "prompt_cache_key"}
"""Members of a body that no model gets to see."""
_NUMBERED = ("prompt", "input")
"""Members that may be written as numbers of tokens."""


def check_asked(fields: dict[str, Any], deny: DenyList) -> None:
    """Refuse a body that says something denied, in whatever place.

    Raises:
        ContentRefused: it does; the sentence does not repeat it.
        FieldInvalid: a prompt is written as numbers of tokens, so that nobody here can tell.
    """
    for name in _NUMBERED:
        if _has_numbers(fields.get(name)):
            raise FieldInvalid(
                f"'{name}' must be text: this gateway has rules on what may be said, and cannot read tokens.",
                param=name,
            )
    said = {name: value for name, value in fields.items() if name not in _UNSAID}
    if any(deny.find(text) for text in texts(said)):
        raise ContentRefused("The request contains something that the rules of this gateway do not allow.")


def _has_numbers(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(each, int | list) for each in value)
