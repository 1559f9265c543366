"""Schedules."""

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.bench.load.arrivals import Open, Pattern

PATTERNS = st.sampled_from(Pattern)


@given(st.floats(0.1, 1000), st.none() | st.floats(0.1, 1000), PATTERNS, st.integers(1, 9), st.integers(0, 99))
def test_a_schedule_has_its_bounds(rate: float, last: float | None, pattern: Pattern, burst: int, seed: int) -> None:
    """So many requests, or those that fall into the time; never back in time, the same for the same seed."""
    arrivals = Open(rate, last, pattern, burst)
    counted = list(arrivals.schedule(seed=seed, requests=30))
    assert len(counted) == 30
    assert counted[0] == 0
    assert counted == sorted(counted)
    assert counted == list(arrivals.schedule(seed=seed, requests=30))
    span_s = 30 / arrivals.mean_rate_per_s
    assert all(0 <= moment < span_s for moment in arrivals.schedule(seed=seed, duration_s=span_s))


def test_constant_arrivals_are_even() -> None:
    """The first at once."""
    assert list(Open(4, pattern=Pattern.CONSTANT).schedule(seed=0, duration_s=1)) == [0, 0.25, 0.5, 0.75]


def test_poisson_arrivals_are_scattered_as_such() -> None:
    """The gaps have the wanted mean, and scatter as much as they are long."""
    moments = list(Open(50).schedule(seed=3, requests=20_000))
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert statistics.mean(gaps) == pytest.approx(0.02, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.02, rel=0.05)


@given(PATTERNS, st.integers(0, 99), st.integers(1, 50))
def test_chance_does_not_change_the_rate(pattern: Pattern, seed: int, requests: int) -> None:
    """So many requests more would begin exactly when the rate says so; two runs have the same rate."""
    arrivals = Open(10, pattern=pattern, burst=1)
    span = arrivals._stretch(seed, requests) * next(itertools.islice(arrivals._unit_process(seed), requests, None))
    assert span == pytest.approx(requests)
    assert list(arrivals.schedule(seed=seed, requests=requests))[-1] < requests / 10


def test_bursts_come_together() -> None:
    """At the same rate over all."""
    moments = list(Open(40, pattern=Pattern.BURST, burst=5).schedule(seed=1, requests=10_000))
    assert moments[:5] == [0] * 5
    assert moments[5] > 0
    assert len(set(moments)) == 2000
    assert moments[-1] == pytest.approx(250, rel=0.02)


def test_a_rate_can_grow() -> None:
    """Evenly: in the first half come as many as belong to it."""
    moments = list(Open(10, 90, Pattern.CONSTANT).schedule(seed=0, duration_s=10))
    assert len(moments) == 500
    assert sum(moment < 5 for moment in moments) == pytest.approx((10 + 50) / 2 * 5, abs=1)
    shrinking = list(Open(90, 10, Pattern.CONSTANT).schedule(seed=0, requests=500))
    assert shrinking[-1] == pytest.approx(10, abs=0.2)
