"""Whether the client was the limit."""

import time

import pytest

from tests.bench.making import answered
from tests.waiting import until
from vllm_gateway.bench.load.own_cost import CostWatch, OwnCost


@pytest.mark.parametrize(
    ("cost", "sentence"),
    [
        (OwnCost(0.5, 1.0, 10), None),
        (OwnCost(0.95, 1.0, 10), "used 95% of a core"),
        (OwnCost(0.5, 1.0, 10, loop_lag_p99_s=0.02), "was 20 ms late at p99"),
        (OwnCost(0.5, 1.0, 10, send_lag_p99_s=0.03), "sent 30 ms later than planned"),
        (OwnCost(), None),
    ],
)
def test_a_limit_is_one_sentence(cost: OwnCost, sentence: str | None) -> None:
    """It says why the figures are not the server's."""
    assert cost.limit is None if sentence is None else sentence in (cost.limit or "")


def test_costs_add_up() -> None:
    """And of lags the worst counts."""
    total = OwnCost.of_all([OwnCost(1, 2, 30, 0.1, 0.0, 4), OwnCost(1, 2, 20, 0.0, 0.2, 1)])
    assert total == OwnCost(2, 4, 50, 0.1, 0.2, 5)
    assert (total.cpu_share, total.cpu_us_per_event) == (0.5, 40_000)
    assert (OwnCost().cpu_share, OwnCost().cpu_us_per_event, OwnCost.of_all([])) == (0, 0, OwnCost())


async def test_what_holds_the_loop_up_is_seen() -> None:
    """As a timer that was late by at least so much, and as time of the processor."""
    watch = CostWatch()
    watch.begin()
    until_s = time.process_time() + 0.06
    while time.process_time() < until_s:
        pass
    await until(lambda: len(watch._lags) > 1)
    cost = watch.end([answered(gaps=(0.1,)), answered(0.0, events=0, sent_at=0.5)], 3)
    assert cost.loop_lag_p99_s >= 0.03
    assert cost.cpu_s >= 0.06
    assert (cost.events, cost.connections, cost.send_lag_p99_s) == (5, 3, 0.5)
