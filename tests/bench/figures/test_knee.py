"""Looking for the highest rate that is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.making import answered, failed
from vllm_gateway.bench.figures.knee import GOOD_SHARE, Step, Sweep, knee
from vllm_gateway.bench.figures.summary import summarize


def step(rate: float, *, is_kept: bool) -> Step:
    """Return a step whose requests were all answered, or all failed."""
    return Step(rate, summarize([answered() if is_kept else failed()], 1.0))


def played(sweep: Sweep, limit: float) -> list[Step]:
    """Return the steps of a sweep of a server that keeps every rate up to its limit."""
    steps: list[Step] = []
    while (rate := sweep.next_rate(steps)) is not None:
        steps.append(step(rate, is_kept=rate <= limit))
    return steps


def test_a_list_is_tried_from_end_to_end() -> None:
    """In order, also beyond the first rate that is not kept."""
    assert [each.rate_per_s for each in played(Sweep.parse("8,1,4"), 2)] == [1, 4, 8]


def test_a_search_doubles_and_then_halves() -> None:
    """Three times, so that the knee is known to an eighth."""
    steps = played(Sweep.parse("1:100"), 11)
    assert [each.rate_per_s for each in steps] == [1, 2, 4, 8, 16, 12, 10, 11]
    best = knee(steps)
    assert best is not None
    assert best.rate_per_s == 11


@given(st.floats(0.1, 300))
def test_a_search_ends_near_the_limit(limit: float) -> None:
    """Wherever it is; outside the range, at the range's end."""
    steps = played(Sweep.parse("1:100"), limit)
    best = knee(steps)
    assert len(steps) <= 12
    if limit < 1:
        assert best is None
        assert len(steps) == 1
    else:
        assert best is not None
        assert min(limit, 100) / 1.26 <= best.rate_per_s <= min(limit, 100)


def test_the_knee_is_below_the_first_that_is_missed() -> None:
    """A lucky step above it does not count."""
    steps = [step(1, is_kept=True), step(4, is_kept=True), step(2, is_kept=False)]
    best = knee(steps)
    assert best is not None
    assert best.rate_per_s == 1
    assert knee([step(1, is_kept=False)]) is None


def test_nearly_all_must_be_good() -> None:
    """A few may be late."""
    good, bad = [answered()] * 95, [failed()] * 5
    assert GOOD_SHARE == 0.95
    assert Step(1, summarize(good + bad, 1.0)).is_kept
    assert not Step(1, summarize(good[1:] + bad, 1.0)).is_kept
    assert not Step(1, summarize([], 1.0)).is_kept


@pytest.mark.parametrize(
    "text", ["", "x", "1,x", "0,1", "-1", "5:5", "0:4", "8:2", "1:2:3", "nan", "1,nan", "inf", "1:inf"]
)
def test_anything_else_is_a_mistake(text: str) -> None:
    """The sentence says what it takes."""
    with pytest.raises(ValueError, match="it takes rates, as in 1,2,4,8, or a range"):
        Sweep.parse(text)
