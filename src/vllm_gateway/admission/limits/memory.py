"""Limits counted in this process. Nothing is awaited between reading and writing, so each operation is atomic.

Days are those of UTC as the machine told the time when the limiter was made: a wall clock that is set later moves no
limit. A slot is held until its request is settled, and is gone with the process.
"""

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

_Key = tuple[str, float, str]


@dataclass(slots=True)
class _Used:
    """What is in use of one meter."""

    meter: Meter
    used: float = 0.0
    at: float = 0.0
    """Of a rate: when that was true. Of a budget: the day that it is true of."""


@dataclass(slots=True)
class _Open:
    """A request that was let in and is not settled."""

    tokens: int
    day: int


class MemoryLimiter:
    """Counts in dictionaries."""

    def __init__(self, clock: Clock, *, max_scopes: int = MAX_SCOPES) -> None:
        self._now = clock.now
        self._offset_s = clock.wall() - clock.now()
        self._max_scopes = max_scopes
        self._used: dict[_Key, _Used] = {}
        self._open: dict[str, _Open] = {}
        self.counters: Counter[str] = Counter()

    async def open(self) -> None:
        """Begin at once."""

    async def reserve(
        self,
        name: str,
        meters: Sequence[Meter],
        *,
        least_tokens: int = 0,  # noqa: ARG002 - what is counted here ends with the gateway
    ) -> Reserved:
        """Take what a request wants of all meters, or nothing of any."""
        now = self._now()
        day, to_midnight_s = self._day(now)
        refused_by, longest_s, found = None, 0.0, []
        for index, meter in enumerate(meters):
            kept = self._used.get(meter.key)
            used = 0.0 if kept is None else _in_use(kept, meter, now, day)
            found.append(used)
            wait_s = _wait_s(meter, used, to_midnight_s)
            if wait_s > longest_s:
                refused_by, longest_s = index, wait_s
        if refused_by is None:
            found = self._take(name, meters, found, now, day)
        left = tuple([_left(meter, used, to_midnight_s) for meter, used in zip(meters, found, strict=True)])
        return Reserved(left, refused_by, longest_s)

    async def settle(self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool) -> None:
        """Give back what was not used, charge what was used beyond it, free the slots; only once for each request."""
        opened = self._open.pop(name, None)
        if opened is None:
            return
        now = self._now()
        if not is_charged:
            used_tokens = 0
        more_tokens = 0 if used_tokens is None else used_tokens - opened.tokens
        for meter in meters:
            if meter.of == "tokens":
                self._add(meter, more_tokens, now, opened.day)
            elif meter.kind is Kind.SLOTS or not is_charged:
                self._add(meter, -meter.cost, now, opened.day)

    async def extend(self, name: str, meters: Sequence[Meter], tokens: int) -> bool:
        """Reserve more tokens, unless a budget does not have them."""
        opened = self._open.get(name)
        if opened is None:
            return True
        now = self._now()
        day, _ = self._day(now)
        of_tokens = [meter for meter in meters if meter.of == "tokens"]
        budgets = [meter for meter in of_tokens if meter.kind is Kind.BUDGET]
        if any(self._at(meter, now, day) + tokens > meter.amount for meter in budgets):
            return False
        opened.tokens += tokens
        for meter in of_tokens:
            self._add(meter, tokens, now, opened.day)
        return True

    async def close(self) -> None:
        """Nothing is open."""

    def _day(self, now: float) -> tuple[int, float]:
        """Return the day, and how long it still lasts."""
        day, since_s = divmod(now + self._offset_s, DAY_S)
        return int(day), DAY_S - since_s

    def _at(self, meter: Meter, now: float, day: int) -> float:
        kept = self._used.get(meter.key)
        return 0.0 if kept is None else _in_use(kept, meter, now, day)

    def _take(self, name: str, meters: Sequence[Meter], found: list[float], now: float, day: int) -> list[float]:
        """Take what all meters have; return what is then in use of each."""
        taken, tokens = [], 0
        for meter, before in zip(meters, found, strict=True):
            used = before + meter.cost
            kept = self._used.get(meter.key) or self._new(meter, now, day)
            kept.meter, kept.used, kept.at = meter, used, day if meter.kind is Kind.BUDGET else now
            taken.append(used)
            if meter.of == "tokens":
                tokens = meter.cost
        self._open[name] = _Open(tokens, day)
        return taken

    def _new(self, meter: Meter, now: float, day: int) -> _Used:
        self._tidy(now, day)
        kept = self._used[meter.key] = _Used(meter)
        return kept

    def _add(self, meter: Meter, more: float, now: float, day: int) -> None:
        """Add to what is in use; what belongs to a day that is over is left alone."""
        kept = self._used.get(meter.key)
        if kept is None or (meter.kind is Kind.BUDGET and kept.at != day):
            return
        kept.used = max(0.0, _in_use(kept, meter, now, day) + more)
        if meter.kind is Kind.RATE:
            kept.at = now

    def _tidy(self, now: float, day: int) -> None:
        """Look at the oldest few: forget those of which nothing is in use, and put the others behind the youngest."""
        for _ in range(min(_LOOKED_AT_ONCE, len(self._used))):
            key = next(iter(self._used))
            kept = self._used.pop(key)
            if _in_use(kept, kept.meter, now, day) > 0.0:
                self._used[key] = kept
        if len(self._used) >= self._max_scopes:
            del self._used[next(iter(self._used))]


def _in_use(kept: _Used, meter: Meter, now: float, day: int) -> float:
    if meter.kind is Kind.RATE:
        return gcra.in_use(kept.used, kept.at, now, amount=meter.amount, window_s=meter.window_s)
    if meter.kind is Kind.BUDGET and kept.at < day:
        return 0.0
    return kept.used


def _wait_s(meter: Meter, used: float, to_midnight_s: float) -> float:
    if meter.kind is Kind.RATE:
        return gcra.wait_s(used, meter.cost, amount=meter.amount, window_s=meter.window_s)
    if used + meter.cost <= meter.amount:
        return 0.0
    if meter.kind is Kind.SLOTS:
        return SLOT_RETRY_S
    return gcra.wait_s(0.0, meter.cost, amount=meter.amount, window_s=1.0) or to_midnight_s


def _left(meter: Meter, used: float, to_midnight_s: float) -> Left:
    remaining = gcra.remaining(used, amount=meter.amount)
    if meter.kind is Kind.RATE:
        return Left(remaining, gcra.reset_s(used, amount=meter.amount, window_s=meter.window_s))
    return Left(remaining, to_midnight_s if meter.kind is Kind.BUDGET else 0.0)
