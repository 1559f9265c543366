"""How many requests may be tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.clock import HandClock
from vllm_gateway.upstream.budget import FLOOR_PER_S, RetryBudget

FLOOR = 30
"""What the floor comes to when nothing was taken from it for a while."""
MOST_EARNED = 100


def spent(budget: RetryBudget, wanted: int) -> int:
    """Want so many retries; return how many are permitted."""
    return sum(budget.spend() for _ in range(wanted))


@pytest.mark.parametrize("percent", [1, 5, 20, 33.3, 50, 90])
def test_a_storm_of_failures_gets_its_share_and_the_floor(percent: float) -> None:
    """Of 10,000 requests that all fail in one instant so many percent are tried again, and the floor once."""
    budget = RetryBudget(percent=percent, clock=HandClock())
    allowed = 0
    for _ in range(10_000):
        budget.earn()
        allowed += budget.spend()
    assert allowed == pytest.approx(FLOOR + 10_000 * percent / 100, abs=1)


@pytest.mark.parametrize("percent", [1, 20, 100])
def test_time_adds_a_few_retries_each_second(percent: float) -> None:
    """With a request every second the floor alone permits all retries that can be wanted."""
    clock = HandClock()
    budget = RetryBudget(percent=percent, clock=clock)
    spent(budget, 200)
    for _ in range(100):
        clock.move(1.0)
        assert spent(budget, 10) == FLOOR_PER_S


def test_no_share_is_no_retry() -> None:
    """0 % switches retries off, the floor included."""
    clock = HandClock()
    budget = RetryBudget(percent=0, clock=clock)
    for _ in range(100):
        budget.earn()
        clock.move(10.0)
        assert not budget.spend()


@pytest.mark.parametrize("percent", [1, 5, 100])
def test_without_a_floor_only_the_share_counts(percent: float) -> None:
    """As for a second replica that is only asked to be quicker: however long nothing happened."""
    clock = HandClock()
    budget = RetryBudget(percent=percent, clock=clock, floor_per_s=0)
    clock.move(3600)
    assert spent(budget, 10) == 0
    for _ in range(1000):
        budget.earn()
    assert spent(budget, 1000) == pytest.approx(min(1000 * percent / 100, MOST_EARNED), abs=1)


def test_a_full_share_permits_every_retry() -> None:
    """At 100 % each request pays for one of its own."""
    budget = RetryBudget(percent=100, clock=HandClock())
    for _ in range(10_000):
        budget.earn()
        assert budget.spend()


def test_a_quiet_hour_does_not_pay_for_a_storm() -> None:
    """What good times earn is bounded, however long they were."""
    clock = HandClock()
    budget = RetryBudget(percent=20, clock=clock)
    for _ in range(10_000):
        budget.earn()
        clock.move(1.0)
    assert spent(budget, 1000) == FLOOR + MOST_EARNED


@given(
    st.floats(0, 100),
    st.lists(st.sampled_from(["earn", "spend"]) | st.floats(0, 30), max_size=60),
)
def test_never_more_than_the_share_the_time_and_the_floor(percent: float, steps: list[str | float]) -> None:
    """In whatever order requests, failures and pauses come."""
    clock = HandClock()
    budget = RetryBudget(percent=percent, clock=clock)
    earned, allowed = 0, 0
    for step in steps:
        if step == "earn":
            budget.earn()
            earned += 1
        elif step == "spend":
            allowed += budget.spend()
        elif isinstance(step, float):
            clock.move(step)
    assert allowed <= FLOOR + clock.now() * FLOOR_PER_S + earned * percent / 100 + 1e-6
