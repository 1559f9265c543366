"""When a first token is late."""

from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.clock import HandClock
from vllm_gateway.upstream.first_tokens import FirstTokens


def test_a_few_first_tokens_say_nothing() -> None:
    """Only from the twentieth on is it known what is usual."""
    times = FirstTokens(HandClock())
    for _ in range(19):
        times.note(0.1)
        assert times.late_after(95) is None
    times.note(0.1)
    assert times.late_after(95) == 0.1


@pytest.mark.parametrize(("percentile", "late_s"), [(50, 50.0), (95, 95.0), (99.9, 99.0)])
def test_late_is_later_than_most(percentile: float, late_s: float) -> None:
    """So many percent of the first tokens came sooner."""
    times = FirstTokens(HandClock())
    for seconds in range(100):
        times.note(float(seconds))
    assert times.late_after(percentile) == late_s


def test_old_times_are_forgotten() -> None:
    """A route that has become slower is late later."""
    clock = HandClock()
    times = FirstTokens(clock)
    for seconds in [0.1] * 256 + [2.0] * 255:
        times.note(seconds)
    assert times.late_after(50) == 2.0
    times.note(2.0)
    clock.move(1.0)
    assert times.late_after(0) == 2.0


def test_the_order_is_made_once_a_second() -> None:
    """What was noted in between counts from the next second on."""
    clock = HandClock()
    times = FirstTokens(clock)
    for _ in range(20):
        times.note(1.0)
    assert times.late_after(50) == 1.0
    for _ in range(200):
        times.note(3.0)
    clock.move(0.5)
    assert times.late_after(50) == 1.0
    clock.move(0.5)
    assert times.late_after(50) == 3.0


@given(st.lists(st.floats(0, 60), min_size=20, max_size=400), st.floats(50, 99.9))
def test_it_is_a_quantile_of_the_last_times(seconds: list[float], percentile: float) -> None:
    """Of the last 256, as if all of them had been sorted anew."""
    times = FirstTokens(HandClock())
    for each in seconds:
        times.note(each)
    last = sorted(seconds[-256:])
    assert times.late_after(percentile) == last[floor(len(last) * percentile / 100)]
