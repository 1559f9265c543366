"""Whom to ask when most replicas of a route are out."""

import pytest

from vllm_gateway.clock import HandClock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.panic import candidates
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import Replica

WELL = [Sign.PROBE_ANSWERED]
FAILING = [*WELL, *[Sign.FAILED] * 3]
GONE = [*WELL, Sign.UNREACHABLE]
FROZEN = [*WELL, Sign.STALLED]
NEW: list[Sign] = []


def route(*signs: list[Sign]) -> list[Replica]:
    """Return replicas of which this was seen."""
    pool = Pool([Upstream(url=f"http://h{n}") for n in range(len(signs))], clock=HandClock(), connect_s=1)
    for replica, each in zip(pool.replicas, signs, strict=True):
        for sign in each:
            replica.see(sign)
    return list(pool.replicas)


@pytest.mark.parametrize(
    ("signs", "asked"),
    [
        ([WELL, WELL], [0, 1]),
        ([WELL, FAILING], [0]),
        ([WELL, FAILING, FAILING], [0, 1, 2]),
        ([FAILING], [0]),
        ([WELL, GONE, FROZEN], [0]),
        ([FAILING, GONE, FROZEN, NEW], [0]),
        ([GONE, FROZEN], []),
        ([], []),
    ],
)
def test_when_less_than_half_are_well_the_failing_are_asked_too(signs: list[list[Sign]], asked: list[int]) -> None:
    """And nobody who cannot be reached, stands still, or was never well."""
    replicas = route(*signs)
    chosen = [replicas[number] for number in asked]
    assert candidates(replicas, 50) == chosen
    assert [replica for replica in replicas if replica.is_usable] == chosen


def test_none_is_asked_in_a_panic_that_is_switched_off() -> None:
    """Zero percent are never too few."""
    assert candidates(route(FAILING, FAILING), 0) == []


def test_who_drains_or_sleeps_is_neither_counted_nor_asked() -> None:
    """It is out because somebody wanted it so, which is no reason for a panic."""
    replicas = route(WELL, FAILING, FAILING, WELL)
    replicas[1].is_draining = True
    replicas[3].is_sleeping = True
    assert candidates(replicas, 50) == [replicas[0]]
    assert candidates(replicas, 51) == [replicas[0], replicas[2]]


def test_a_sleeper_that_a_request_may_wake_counts() -> None:
    """It is as good as the others."""
    replicas = route(WELL, FAILING)
    replicas[0].is_sleeping = replicas[0].wakes_on_request = True
    assert candidates(replicas, 50) == [replicas[0]]


def test_the_panic_ends_when_enough_are_well_again() -> None:
    """From then on the ejected stay out as usual."""
    replicas = route(FAILING, GONE)
    assert candidates(replicas, 50) == [replicas[0]]
    assert replicas[0].is_usable
    replicas[1].see(Sign.PROBE_ANSWERED)
    assert candidates(replicas, 50) == [replicas[1]]
    assert not replicas[0].is_usable


def test_one_that_goes_away_in_a_panic_is_not_usable_any_more() -> None:
    """Not even until the next request looks."""
    (replica,) = route(FAILING)
    assert candidates([replica], 50) == [replica]
    replica.see(Sign.UNREACHABLE)
    assert not replica.is_usable
