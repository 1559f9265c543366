"""The times of one request."""

import pytest

from tests.bench.making import answered, failed


def test_times_count_from_the_plan() -> None:
    """Whatever the client did meanwhile."""
    record = answered(10.0, ttft=0.5, gaps=(0.1, 0.3), sent_at=10.2)
    assert record.ttfb_s == pytest.approx(0.25)
    assert record.ttft_s == pytest.approx(0.5)
    assert record.e2e_s == pytest.approx(0.9)
    assert record.tpot_s == pytest.approx(0.2)
    assert record.mean_gap_s == pytest.approx(0.2)
    assert record.late_s == pytest.approx(0.2)


def test_what_did_not_happen_has_no_time() -> None:
    """A failure, an answer of one token, one whose tokens are not told."""
    record = failed()
    assert (record.ttfb_s, record.ttft_s, record.e2e_s, record.tpot_s, record.mean_gap_s) == (None,) * 5
    assert answered(gaps=()).tpot_s is None
    assert answered(output_tokens=None).tpot_s is None
    assert answered(sent_at=None).late_s == 0
