"""The arithmetic of rates."""

import math

import pytest

from vllm_gateway.admission.limits import gcra


def test_what_is_in_use_drains_evenly() -> None:
    """Half a window lets half the amount go, and never more than there is."""
    assert gcra.in_use(60, 0.0, 30.0, 60, 60) == 30
    assert gcra.in_use(60, 0.0, 90.0, 60, 60) == 0


def test_a_clock_that_was_set_back_drains_nothing() -> None:
    """F-21: and gives nothing either."""
    assert gcra.in_use(60, 100.0, 30.0, 60, 60) == 60


def test_the_wait_is_as_long_as_it_takes() -> None:
    """Nothing where it fits, and for ever where it never will."""
    assert gcra.wait_s(0, 60, 60, 60) == 0
    assert gcra.wait_s(60, 2, 60, 60) == 2
    assert math.isinf(gcra.wait_s(0, 61, 60, 60))


def test_what_remains_is_whole_and_not_negative() -> None:
    """What is overdrawn is told as nothing."""
    assert gcra.remaining(0.5, 10) == 9
    assert gcra.remaining(12, 10) == 0


def test_all_of_it_is_there_when_it_has_drained() -> None:
    """The reset is the time that takes."""
    assert gcra.reset_s(30, 60, 60) == 30


@pytest.mark.parametrize("amount", [7, 60, 6000, 1_000_000_000])
def test_whoever_waits_as_told_gets_in(amount: int) -> None:
    """Rounding does not refuse them."""
    used, now = float(amount), 0.0
    for _ in range(1000):
        now += gcra.wait_s(used, 1, amount, 60)
        used = gcra.in_use(used, 0.0, now, amount, 60)
        assert gcra.wait_s(used, 1, amount, 60) == 0
        used, now = used + 1, 0.0
