"""How long the first tokens of a route have taken lately, and when one is late."""

from vllm_gateway.clock import Clock

_KEPT = 256
"""So many first tokens say what is usual; older ones are forgotten."""
_ENOUGH = 20
"""Fewer say nothing of their slowest twentieth."""
_SORTED_FOR_S = 1.0
"""So long an order is good enough; making one takes longer than all else here."""


class FirstTokens:
    """The latest times to a first token."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times_s: list[float] = []
        self._next = 0
        self._in_order: list[float] = []
        self._ordered_at = 0.0

    def note(self, seconds: float) -> None:
        """Keep one more, in place of the oldest."""
        if len(self._times_s) < _KEPT:
            self._times_s.append(seconds)
        else:
            self._times_s[self._next] = seconds
            self._next = (self._next + 1) % _KEPT

    def late_after(self, percentile: float) -> float | None:
        """Return the seconds that so many percent of the first tokens need at most; None while too few were seen."""
        if len(self._times_s) < _ENOUGH:
            return None
        now = self._clock.now()
        if not self._in_order or now - self._ordered_at >= _SORTED_FOR_S:
            self._in_order = sorted(self._times_s)
            self._ordered_at = now
        return self._in_order[min(int(len(self._in_order) * percentile / 100), len(self._in_order) - 1)]
