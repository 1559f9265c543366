"""One coarse timer for all attempts."""

import asyncio

import pytest
from typing_extensions import override

from tests.waiting import until
from vllm_gateway.clock import HandClock
from vllm_gateway.upstream import deadlines
from vllm_gateway.upstream.deadlines import Deadlines


class Attempt:
    """Notes when it was asked."""

    def __init__(self) -> None:
        self.asked_at: list[float] = []

    def check(self, now: float) -> None:
        """Note it."""
        self.asked_at.append(now)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "TICK_S", 0.005)


async def test_everything_under_way_is_asked_again_and_again() -> None:
    """Each with the time of the gateway's clock, until it is removed."""
    clock = HandClock(now=100.0)
    timer = Deadlines(clock)
    one, other = Attempt(), Attempt()
    timer.add(one)
    timer.add(other)
    assert len(timer) == 2
    await until(lambda: len(one.asked_at) >= 2 and len(other.asked_at) >= 2)
    clock.move(5.0)
    timer.remove(one)
    asked = len(one.asked_at)
    await until(lambda: 105.0 in other.asked_at)
    assert set(one.asked_at) == {100.0}
    assert len(one.asked_at) == asked
    timer.close()


async def test_the_timer_rests_when_nothing_is_under_way() -> None:
    """An idle gateway does not wake four times a second, and wakes again for the next attempt."""
    timer = Deadlines(HandClock())
    one = Attempt()
    timer.add(one)
    timer.remove(one)
    await until(lambda: timer._timer is None)
    assert one.asked_at == []
    timer.add(one)
    await until(lambda: bool(one.asked_at))
    timer.close()


async def test_an_attempt_may_leave_while_it_is_asked() -> None:
    """Giving up removes it, in the middle of the round."""
    timer = Deadlines(HandClock())
    others = [Attempt(), Attempt()]

    class Impatient(Attempt):
        """Gives up at once."""

        @override
        def check(self, now: float) -> None:
            """Leave."""
            super().check(now)
            timer.remove(self)

    impatient = Impatient()
    for attempt in (others[0], impatient, others[1]):
        timer.add(attempt)
    await until(lambda: all(len(other.asked_at) >= 2 for other in others))
    assert len(impatient.asked_at) == 1
    timer.close()


async def test_closing_asks_nobody_any_more() -> None:
    """Nothing is left behind in the event loop."""
    timer = Deadlines(HandClock())
    one = Attempt()
    timer.add(one)
    timer.close()
    timer.close()
    await asyncio.sleep(0.02)
    assert one.asked_at == []
    assert len(timer) == 0


def test_a_deadline_is_noticed_within_a_quarter_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs are whole seconds; more precision would cost more than it is worth."""
    monkeypatch.undo()
    assert deadlines.TICK_S == 0.25
