"""Claude Code's accounting line, which stands before everything else that it says and is new with every request.

No model has a use for it, and with it no prefix cache would ever know a prompt again.
"""

from typing import Any

from vllm_gateway.exchange import Asked

_HEADER = "x-anthropic-billing-header:"
_PATHS = frozenset({"/v1/messages", "/v1/messages/count_tokens"})


def system_without_billing(asked: Asked) -> str | list[Any] | None:
    """Return what is left of `system` without the line; None: there is none in it."""
    if asked.path not in _PATHS:
        return None
    system = asked.fields.get("system")
    if isinstance(system, str):
        return _rest(system)
    if not isinstance(system, list) or not system or not isinstance(system[0], dict):
        return None
    text = system[0].get("text")
    rest = _rest(text) if isinstance(text, str) else None
    if rest is None:
        return None
    return [{**system[0], "text": rest}, *system[1:]] if rest else system[1:]


def _rest(text: str) -> str | None:
    """Return what comes behind the line; None: the text does not begin with it."""
    return text.partition("\n")[2].lstrip("\n") if text.startswith(_HEADER) else None
