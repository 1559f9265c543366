"""Time, as it is handed in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.clock import Clock, HandClock, SystemClock


def test_a_hand_clock_stands_still() -> None:
    """Time passes in a test only where the test says so."""
    clock = HandClock(now=5.0, wall=100.0)
    assert (clock.now(), clock.wall()) == (clock.now(), clock.wall()) == (5.0, 100.0)


@given(st.lists(st.floats(0, 1e6), max_size=10))
def test_both_hands_move_together(steps: list[float]) -> None:
    """Whatever passes on the one passes on the other."""
    clock = HandClock(now=0.0, wall=0.0)
    for step in steps:
        clock.move(step)
    assert clock.now() == clock.wall() == pytest.approx(sum(steps))


def test_the_systems_clock_goes_on() -> None:
    """It never goes back, and its wall time is of this century's seconds."""
    clock: Clock = SystemClock()
    readings = [clock.now() for _ in range(100)]
    assert readings == sorted(readings)
    assert clock.wall() > 1_700_000_000
