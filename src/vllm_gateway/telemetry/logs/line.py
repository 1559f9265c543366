"""What the log says of a request that is over. Nothing of what was said in it, unless that is asked for."""

from collections.abc import Callable
from typing import Any

from vllm_gateway.telemetry.logs.form import time_text
from vllm_gateway.telemetry.usage.record import UsageRecord

EVENT = "request"

Line = dict[str, Any]
"""The fields of a line, in the order in which they are written."""


def line_of(record: UsageRecord, *, caller: Callable[[str], str], text: bytes | None = None) -> Line:
    """Return the line of a request that is over.

    `caller` gives the name to tell for the id of a caller's key. The line ends with `text`, where there is one.
    """
    line: Line = {
        "timestamp": time_text(record.ended),
        "level": "info",
        "event": EVENT,
        "request_id": record.request_id,
        "caller": caller(record.caller) if record.caller else None,
        "route": record.path,
        "model_asked": record.model_asked,
        "model": record.model,
        "replica": record.replica,
        "attempts": record.attempts,
        "resumed": record.resumed,
        "outcome": record.outcome,
        "status": record.status,
        "error": record.error or None,
        "stream": record.is_stream,
        "prompt_tokens": record.prompt_tokens,
        "cached_tokens": record.cached_tokens,
        "completion_tokens": record.completion_tokens,
        "queue_ms": _ms(record.queue_s),
        "ttft_ms": None if record.first_token_s is None else _ms(record.first_token_s),
        "duration_ms": _ms(record.ended - record.started),
        "cache": record.cache,
    }
    if text is not None:
        line["body"] = text.decode("utf-8", "replace")
    return line


def _ms(seconds: float) -> float:
    return round(seconds * 100_000) / 100  # to round to two digits by Python's own takes four times as long
