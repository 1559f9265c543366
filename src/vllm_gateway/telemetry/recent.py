"""What has just ended: the last requests, and what they say together. For whoever watches; it lives in memory only."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.usage.record import UsageRecord

MOST_ENDED = 1024
"""Summing up so many takes two or three milliseconds, in which no stream goes on; but only where somebody watches."""
MOST_NOTABLE = 100
WINDOW_S = 60.0
_WELL = frozenset({Outcome.OK, Outcome.OK_RETRIED, Outcome.OK_RESUMED})
_QUIET = frozenset({Outcome.OK, Outcome.CLIENT_GONE})
"""Outcomes of which nobody needs to be told one by one."""


class Recent:
    """Keeps the last requests, so many at most."""

    def __init__(self) -> None:
        self._ended: deque[UsageRecord] = deque(maxlen=MOST_ENDED)
        self._notable: deque[UsageRecord] = deque(maxlen=MOST_NOTABLE)

    def tell(self, record: UsageRecord) -> None:
        """Take a request that is over."""
        self._ended.append(record)
        if record.outcome not in _QUIET:
            self._notable.append(record)

    def ended(self) -> list[UsageRecord]:
        """Return the last ones, the oldest first."""
        return list(self._ended)

    def notable(self) -> list[UsageRecord]:
        """Return the last ones that did not go as they should, the oldest first."""
        return list(self._notable)


def summed_up(ended: Iterable[UsageRecord], notable: Iterable[UsageRecord], wall: float) -> dict[str, Any]:
    """Return what the requests of the last minute say together; and beside it, the last that went wrong or nearly."""
    within = [one for one in ended if one.ended > wall - WINDOW_S]
    last = sorted(notable, key=lambda one: -one.ended)[:MOST_NOTABLE]
    return {
        "object": "recent",
        "window_s": _window_s(within, wall),
        **_sums(within),
        "replicas": _grouped(within, lambda one: one.replica),
        "models": _grouped(within, lambda one: one.model),
        "callers": _grouped(within, lambda one: one.caller or ""),
        "notable": [_told(one) for one in last],
    }


def _window_s(within: Sequence[UsageRecord], wall: float) -> float:
    """Return how far the sums go back; less than a minute where more requests ended in it than are kept."""
    if len(within) < MOST_ENDED:
        return WINDOW_S
    return round(max(wall - min(one.ended for one in within), 0.0), 3)


def _grouped(within: Iterable[UsageRecord], key: Callable[[UsageRecord], str | None]) -> list[dict[str, Any]]:
    groups: dict[str, list[UsageRecord]] = {}
    for one in within:
        if (name := key(one)) is not None:
            groups.setdefault(name, []).append(one)
    return [{"name": name, **_sums(group)} for name, group in groups.items()]


def _sums(group: Sequence[UsageRecord]) -> dict[str, Any]:
    """Return what some requests come to, in one walk over them: nothing else is done meanwhile."""
    failed = prompt_tokens = completion_tokens = 0
    first_s: list[float] = []
    between_s: list[float] = []
    for one in group:
        failed += one.outcome not in _WELL
        prompt_tokens += one.prompt_tokens
        tokens = one.completion_tokens
        completion_tokens += tokens
        if one.first_token_s is not None:
            first_s.append(one.first_token_s)
            if tokens > 1:
                between_s.append(max(0.0, one.ended - one.started - one.first_token_s) / (tokens - 1))
    return {
        "requests": len(group),
        "failed": failed,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "ttft_s": _percentiles(first_s),
        "itl_s": _percentiles(between_s),
    }


def _percentiles(values: list[float]) -> dict[str, float] | None:
    """Return the median and the 95th percentile: values that occurred, none in between."""
    if not values:
        return None
    values.sort()
    return {f"p{percent}": round(values[min(len(values) * percent // 100, len(values) - 1)], 6) for percent in (50, 95)}


def _told(one: UsageRecord) -> dict[str, Any]:
    return {
        "id": one.request_id,
        "object": "request",
        "path": one.path,
        "ended": one.ended,
        "seconds": round(one.ended - one.started, 3),
        "outcome": one.outcome,
        "status": one.status or None,
        "caller": one.caller,
        "model": one.model,
        "replica": one.replica,
        "attempts": one.attempts,
        "resumed": one.resumed,
    }
