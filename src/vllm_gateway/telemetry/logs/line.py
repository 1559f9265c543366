"""What the log says of a request that is over. Nothing of what was said in it, unless that is asked for."""

from collections.abc import Callable
from typing import Any

from vllm_gateway.exchange import Exchange
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.usage.record import used_by

EVENT = "request"
_X_CACHE = b"x-cache"

Line = dict[str, Any]
"""The fields of a line, in the order in which they are written."""


def line_of(exchange: Exchange, outcome: Outcome, *, caller: Callable[[str], str], text_bytes: int = 0) -> Line:
    """Return the line of an exchange that ends now.

    `caller` gives the name to tell for the id of a caller's key. With `text_bytes` the beginning of the body is told.
    """
    trail, usage, asked = exchange.trail, used_by(exchange), exchange.asked
    now, began = trail.now(), exchange.started
    line: Line = {
        "event": EVENT,
        "request_id": exchange.id,
        "caller": caller(exchange.caller.id) if exchange.caller.id else None,
        "route": exchange.operation.path,
        "model_asked": asked.model if asked is not None else None,
        "model": exchange.model,
        "replica": exchange.replica,
        "attempts": exchange.attempts,
        "resumed": exchange.resumed,
        "outcome": outcome.value,
        "status": exchange.status,
        "error": trail.error or None,
        "stream": asked is not None and asked.stream,
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "queue_ms": _ms(trail.queue_s),
        "ttft_ms": None if trail.first_token_at is None else _ms(trail.first_token_at - began),
        "duration_ms": _ms(now - began),
        "cache": None,
    }
    for name, value in exchange.told:
        if name == _X_CACHE:
            line["cache"] = value.decode("latin-1")
    if text_bytes:
        line["body"] = exchange.body[:text_bytes].decode("utf-8", "replace")
    return line


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
