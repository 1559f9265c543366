"""When another replica is asked."""

from dataclasses import dataclass
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.settings.fleet import Retry
from vllm_gateway.upstream.backoff import askable, patience, wait_before, wait_for_any


@dataclass(frozen=True)
class Spared:
    """A replica that is not to be asked before a time."""

    patience_until: float


@pytest.mark.parametrize(("tries", "average_s"), [(1, 0.05), (2, 0.1), (3, 0.2)])
def test_each_wait_is_twice_as_long_on_average(tries: int, average_s: float) -> None:
    """The settings name the first; every further one doubles it."""
    random = Random(7)  # noqa: S311 - chance, no secret
    waits = [wait_before(tries, Retry(wait_s=0.05), random) for _ in range(4000)]
    assert mean(waits) == pytest.approx(average_s, rel=0.05)
    assert min(waits) < average_s / 20
    assert max(waits) > average_s * 1.9


@given(st.integers(1, 10), st.floats(0, 86_400), st.integers())
def test_a_wait_is_never_negative_and_never_long(tries: int, wait_s: float, seed: int) -> None:
    """Whatever the settings say, nobody waits longer than a few seconds."""
    wait = wait_before(tries, Retry(wait_s=wait_s), Random(seed))  # noqa: S311 - chance, no secret
    assert 0 <= wait <= min(5.0, 2 * wait_s * 2 ** (tries - 1))


def test_an_overloaded_replica_is_spared_as_long_as_it_says() -> None:
    """Without a word of its own it is a part of a second, and not the same for everybody."""
    random = Random(7)  # noqa: S311 - chance, no secret
    assert patience(7.0, random) == 7.0
    assert patience(0.0, random) == 0.0
    drawn = {patience(None, random) for _ in range(100)}
    assert len(drawn) > 90
    assert all(0 < seconds < 1 for seconds in drawn)


def test_others_are_asked_first() -> None:
    """A replica that asked for patience is passed over until its time is over."""
    now, later = Spared(0.0), Spared(10.0)
    assert askable([now, later], 5.0) == [now]
    assert askable([now, later], 10.0) == [now, later]
    assert wait_for_any([now, later], 5.0) == 0.0


def test_the_shortest_patience_counts() -> None:
    """When all have asked for it, the first that may be asked again is waited for."""
    assert askable([Spared(8.0), Spared(6.5)], 5.0) == []
    assert wait_for_any([Spared(8.0), Spared(6.5)], 5.0) == 1.5
    assert wait_for_any([], 5.0) == 0.0
