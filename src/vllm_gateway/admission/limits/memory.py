"""Limits counted in this process. Nothing is awaited between reading and writing, so each operation is atomic.

Days are those of UTC as the machine told the time when the limiter was made: a wall clock that is set later moves no
limit. A slot is held until its request is settled, and is gone with the process.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vllm_gateway.admission.limits import gcra
from vllm_gateway.admission.limits.limiter import SLOT_RETRY_S, Left, Reserved
from vllm_gateway.admission.limits.meters import DAY_S, Kind, Meter
from vllm_gateway.clock import Clock

MAX_SCOPES = 200_000
"""Meters that are remembered; beyond that the one that was looked at longest ago is forgotten."""
_LOOKED_AT_ONCE = 2
"""Old meters that are looked at for every new one, so that those that are full again go, without a pause for all."""

_RATE, _BUDGET = Kind.RATE, Kind.BUDGET


@dataclass(slots=True)
class _Used:
    """What is in use of one meter."""

    meter: Meter
    used: float = 0.0
    at: float = 0.0
    """Of a rate: when that was true. Of a budget: the day that it is true of."""


class MemoryLimiter:
    """Counts in dictionaries."""

    def __init__(self, clock: Clock, *, max_scopes: int = MAX_SCOPES) -> None:
        self._now = clock.now
        self._offset_s = clock.wall() - clock.now()
        self._max_scopes = max_scopes
        self._used: dict[str, _Used] = {}
        self._open: dict[str, tuple[int, int]] = {}
        """Of every request that was let in and is not settled: its tokens, and the day that they belong to."""
        self._day = 0
        self._midnight = -math.inf
        """When the day is over."""
        self.counters: Counter[str] = Counter()

    async def open(self) -> None:
        """Begin at once."""

    async def reserve(
        self,
        name: str,
        meters: Sequence[Meter],
        tokens: int = 0,
        *,
        least_tokens: int = 0,  # noqa: ARG002 - what is counted here ends with the gateway
    ) -> Reserved:
        """Take what a request wants of all meters, or nothing of any."""
        return self.reserve_now(name, meters, tokens)

    def reserve_now(self, name: str, meters: Sequence[Meter], tokens: int) -> Reserved:
        """Do that at once."""
        now = self._time()
        to_midnight_s = self._midnight - now
        refused_by, longest_s, found = None, 0.0, []
        for place, meter in enumerate(meters):
            kept = self._used.get(meter.key)
            used = 0.0 if kept is None else _in_use(kept, meter, now, self._day)
            found.append(used)
            cost = tokens if meter.is_of_tokens else 1
            if used + cost > meter.amount and (wait_s := _wait_s(meter, used, cost, to_midnight_s)) > longest_s:
                refused_by, longest_s = place, wait_s
        if refused_by is None:
            return Reserved(self._take(name, meters, tokens, found, now))
        left = [_left(meter, used, to_midnight_s) for meter, used in zip(meters, found, strict=True)]
        return Reserved(left, refused_by, longest_s)

    async def settle(self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool) -> None:
        """Give back what was not used, charge what was used beyond it, free the slots; only once for each request."""
        self.settle_now(name, meters, used_tokens, is_charged=is_charged)

    def settle_now(self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool) -> bool:
        """Do that at once."""
        opened = self._open.pop(name, None)
        if opened is None:
            return True
        now = self._time()
        tokens, day = opened
        if not is_charged:
            used_tokens = 0
        more_tokens = 0 if used_tokens is None else used_tokens - tokens
        for meter in meters:
            if meter.is_of_tokens:
                self._add(meter, more_tokens, now, day)
            elif not is_charged or meter.kind is Kind.SLOTS:
                self._add(meter, -1, now, day)
        return True

    async def extend(self, name: str, meters: Sequence[Meter], tokens: int) -> bool:
        """Reserve more tokens, unless a budget does not have them."""
        opened = self._open.get(name)
        if opened is None:
            return True
        now = self._time()
        reserved, day = opened
        of_tokens = [meter for meter in meters if meter.is_of_tokens]
        budgets = [meter for meter in of_tokens if meter.kind is Kind.BUDGET]
        if any(self._at(meter, now) + tokens > meter.amount for meter in budgets):
            return False
        self._open[name] = reserved + tokens, day
        for meter in of_tokens:
            self._add(meter, tokens, now, day)
        return True

    async def close(self) -> None:
        """Nothing is open."""

    def _time(self) -> float:
        """Return the time, and see whether a day is over."""
        now = self._now()
        if now >= self._midnight:
            day, since_s = divmod(now + self._offset_s, DAY_S)
            self._day, self._midnight = int(day), now + DAY_S - since_s
        return now

    def _at(self, meter: Meter, now: float) -> float:
        kept = self._used.get(meter.key)
        return 0.0 if kept is None else _in_use(kept, meter, now, self._day)

    def _take(self, name: str, meters: Sequence[Meter], tokens: int, found: list[float], now: float) -> list[Left]:
        """Take what all meters have, where so much was `found` in use of each; return what is left then."""
        day, to_midnight_s, left = self._day, self._midnight - now, []
        self._open[name] = tokens, day
        for place, meter in enumerate(meters):
            used = found[place] + (tokens if meter.is_of_tokens else 1)
            kept = self._used.get(meter.key) or self._new(meter, now)
            kept.meter, kept.used, kept.at = meter, used, day if meter.kind is _BUDGET else now
            left.append(_left(meter, used, to_midnight_s))
        return left

    def _new(self, meter: Meter, now: float) -> _Used:
        self._tidy(now)
        kept = self._used[meter.key] = _Used(meter)
        return kept

    def _add(self, meter: Meter, more: float, now: float, day: int) -> None:
        """Add to what is in use; what belongs to a day that is over is left alone."""
        kept = self._used.get(meter.key)
        if kept is None or (meter.kind is Kind.BUDGET and kept.at != day):
            return
        used = _in_use(kept, meter, now, self._day) + more
        kept.used = used if used > 0.0 else 0.0  # noqa: FURB136 - `max` takes three times as long
        if meter.kind is _RATE:
            kept.at = now

    def _tidy(self, now: float) -> None:
        """Look at the oldest few: forget those of which nothing is in use, and put the others behind the youngest."""
        for _ in range(min(_LOOKED_AT_ONCE, len(self._used))):
            key = next(iter(self._used))
            kept = self._used.pop(key)
            if _in_use(kept, kept.meter, now, self._day) > 0.0:
                self._used[key] = kept
        if len(self._used) >= self._max_scopes:
            del self._used[next(iter(self._used))]


def _in_use(kept: _Used, meter: Meter, now: float, day: int) -> float:
    if meter.kind is _RATE:
        return gcra.in_use(kept.used, kept.at, now, meter.amount, meter.window_s)
    if meter.kind is _BUDGET and kept.at < day:
        return 0.0
    return kept.used


def _wait_s(meter: Meter, used: float, cost: int, to_midnight_s: float) -> float:
    """Return how long it takes until `cost` fits, which is more than there is."""
    if meter.kind is _RATE:
        return gcra.wait_s(used, cost, meter.amount, meter.window_s)
    if meter.kind is Kind.SLOTS:
        return SLOT_RETRY_S
    return to_midnight_s if cost <= meter.amount else math.inf


def _left(meter: Meter, used: float, to_midnight_s: float) -> Left:
    remaining = gcra.remaining(used, meter.amount)
    return remaining, to_midnight_s if meter.kind is _BUDGET else used * meter.window_s / meter.amount
