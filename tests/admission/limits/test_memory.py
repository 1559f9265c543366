"""Limits in this process, on a clock that is moved by hand."""

import asyncio
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from typing_extensions import override

from tests.admission.limits.wishes import budget, left_of, per_minute, per_second, slots, tokens
from vllm_gateway.admission.limits.memory import MemoryLimiter
from vllm_gateway.admission.limits.meters import DAY_S, Meter
from vllm_gateway.clock import HandClock

AMOUNT, DAILY, SLOTS = 600, 2_000, 3


async def test_ten_thousand_requests_are_counted_exactly() -> None:
    """At one and a half times the rate: the burst, and then the rate, give or take one."""
    clock = HandClock()
    limiter = MemoryLimiter(clock)
    allowed = 0
    for number in range(10_000):
        allowed += (await limiter.reserve(str(number), [per_minute(600)])).is_admitted
        clock.move(1 / 15)
    elapsed_s = 9_999 / 15
    assert abs(allowed - (600 + int(elapsed_s * 10))) <= 1


async def test_nothing_is_waited_for() -> None:
    """What is awaited elsewhere is done at once here."""
    limiter = MemoryLimiter(HandClock())
    meters = [tokens(100), slots(1)]
    assert left_of(limiter.reserve_now("a", meters, 30)) == [70, 0]
    assert not limiter.reserve_now("b", meters, 30).is_admitted
    assert limiter.settle_now("a", meters, 10, is_charged=True)
    assert left_of(await limiter.reserve("c", meters, 30)) == [60, 0]


async def test_a_budget_begins_anew_at_midnight() -> None:
    """Of UTC; what belongs to yesterday is settled into no budget of today."""
    clock = HandClock(wall=10 * DAY_S - 60)
    limiter = MemoryLimiter(clock)
    assert (await limiter.reserve("a", [budget(100)], 90)).is_admitted
    refused = await limiter.reserve("b", [budget(100)], 90)
    assert refused.retry_after_s == 60
    clock.move(60)
    assert left_of(await limiter.reserve("c", [budget(100)], 30)) == [70]
    await limiter.settle("a", [budget(100)], 10, is_charged=True)
    assert left_of(await limiter.reserve("d", [budget(100)], 10)) == [60]


async def test_a_wall_clock_that_is_set_moves_no_limit() -> None:
    """F-21: only the clock that never goes back counts."""

    class Jumping(HandClock):
        jump = 0.0

        @override
        def wall(self) -> float:
            """Return a time that somebody has set."""
            return super().wall() + self.jump

    clock = Jumping(wall=DAY_S / 2)
    limiter = MemoryLimiter(clock)
    meters = [budget(100), per_minute(1)]
    assert (await limiter.reserve("a", meters, 60)).is_admitted
    for clock.jump in (3600.0, -3600.0, DAY_S):
        assert not (await limiter.reserve(f"b{clock.jump}", [budget(100)], 60)).is_admitted
        assert not (await limiter.reserve(f"c{clock.jump}", [per_minute(1)])).is_admitted


async def test_what_is_full_again_is_forgotten() -> None:
    """However many callers come and go, little is remembered."""
    clock = HandClock()
    limiter = MemoryLimiter(clock)
    for number in range(1_000):
        name, meters = str(number), [per_second(5, f"ip:{number}"), slots(1, f"ip:{number}")]
        await limiter.reserve(name, meters)
        await limiter.settle(name, meters, None, is_charged=True)
        clock.move(0.1)
    assert len(limiter._used) < 20
    assert not limiter._open


async def test_no_more_than_so_many_are_remembered() -> None:
    """Not even when nothing comes back."""
    limiter = MemoryLimiter(HandClock(), max_scopes=100)
    for number in range(1_000):
        await limiter.reserve(str(number), [budget(100, f"ip:{number}")], 1)
    assert len(limiter._used) <= 100


class LikeTheReference(RuleBasedStateMachine):
    """Any order of requests gives what exact arithmetic with theoretical times of arrival gives."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock(wall=0.0)
        self.limiter = MemoryLimiter(self.clock)
        self.now = Fraction(0)
        self.arrival = Fraction(0)
        self.spent: dict[int, int] = {}
        self.open: dict[str, tuple[int, int]] = {}
        self.asked = 0

    @property
    def day(self) -> int:
        """Return the day that it is."""
        return int(self.now // int(DAY_S))

    @rule(ticks=st.one_of(st.integers(0, 60 * 1024), st.integers(0, 80_000 * 1024)))
    def wait(self, ticks: int) -> None:
        """Let time pass."""
        self.clock.move(ticks / 1024)
        self.now += Fraction(ticks, 1024)

    @rule(cost=st.integers(1, 700))
    def ask(self, cost: int) -> None:
        """Reserve."""
        self.asked += 1
        name = str(self.asked)
        reserved = asyncio.run(self.limiter.reserve(name, _meters(), cost))
        arrival = max(self.now, self.arrival) + cost * Fraction(60, AMOUNT)
        fits = arrival - self.now <= 60 and self.spent.get(self.day, 0) + cost <= DAILY and len(self.open) < SLOTS
        assert reserved.is_admitted == fits
        if fits:
            self.arrival = arrival
            self.spent[self.day] = self.spent.get(self.day, 0) + cost
            self.open[name] = (cost, self.day)

    @rule(data=st.data(), used=st.one_of(st.none(), st.integers(0, 900)), is_charged=st.booleans())
    def settle(self, data: st.DataObject, used: int | None, *, is_charged: bool) -> None:
        """Settle, twice."""
        if not self.open:
            return
        name = data.draw(st.sampled_from(sorted(self.open)))
        cost, day = self.open.pop(name)
        for _ in range(2):
            asyncio.run(self.limiter.settle(name, _meters(), used, is_charged=is_charged))
        more = -cost if not is_charged else 0 if used is None else used - cost
        self.arrival = max(self.now, max(self.now, self.arrival) + more * Fraction(60, AMOUNT))
        if day == self.day:
            self.spent[day] = max(0, self.spent[day] + more)

    @rule(data=st.data(), more=st.integers(1, 500))
    def extend(self, data: st.DataObject, more: int) -> None:
        """Reserve more for one that is under way."""
        if not self.open:
            return
        name = data.draw(st.sampled_from(sorted(self.open)))
        cost, day = self.open[name]
        fits = self.spent.get(self.day, 0) + more <= DAILY
        assert asyncio.run(self.limiter.extend(name, _meters(), more)) == fits
        if fits:
            self.open[name] = (cost + more, day)
            self.arrival = max(self.now, self.arrival) + more * Fraction(60, AMOUNT)
            if day == self.day:
                self.spent[day] += more

    @invariant()
    def remaining_is_never_negative(self) -> None:
        """Whatever was overdrawn."""
        probe = asyncio.run(self.limiter.reserve("probe", [*_meters(), per_second(1, "nobody's")], 1))
        assert min(left_of(probe)) >= 0
        asyncio.run(self.limiter.settle("probe", [*_meters(), per_second(1, "nobody's")], 0, is_charged=False))


def _meters() -> list[Meter]:
    return [tokens(AMOUNT), budget(DAILY), slots(SLOTS)]


TestLikeTheReference = LikeTheReference.TestCase
TestLikeTheReference.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
