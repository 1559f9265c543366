"""Distributions."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.bench.figures.distribution import SHARES, Distribution, percentile

VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


@given(VALUES)
def test_figures_are_those_of_numpy(values: list[float]) -> None:
    """`vllm bench serve` uses NumPy, and the figures are to be compared with its."""
    found = Distribution.of(values)
    assert found is not None
    assert found.mean == pytest.approx(np.mean(values))
    assert found.std == pytest.approx(np.std(values), abs=1e-3)
    assert found.median == pytest.approx(statistics.median(values))
    assert [getattr(found, name) for name in SHARES] == pytest.approx(
        [float(np.percentile(values, share * 100)) for share in SHARES.values()]
    )
    assert (found.count, found.least, found.most) == (len(values), min(values), max(values))


def test_what_is_not_known_is_left_out() -> None:
    """And where nothing is known, there are no figures."""
    found = Distribution.of([None, 2.0, None])
    assert found is not None
    assert (found.count, found.mean, found.std) == (1, 2.0, 0.0)
    assert Distribution.of([None]) is None


@given(VALUES.map(sorted), st.floats(0, 1))
def test_a_percentile_lies_among_the_values(ordered: list[float], share: float) -> None:
    """From the least at 0 to the most at 1."""
    assert ordered[0] <= percentile(ordered, share) <= ordered[-1]
