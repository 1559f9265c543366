"""From counts and times to figures."""

from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accounting import Sample
from benchmarks.figures import Figures, Tally, figures, percentile, ratio, summary

BEFORE = Sample(at_s=10, target_cpu_s=1, replica_cpu_s=2, client_cpu_s=3, other_cpu_s=4)
AFTER = Sample(at_s=12, target_cpu_s=2, replica_cpu_s=2.5, client_cpu_s=4, other_cpu_s=4.5)


def seen(window: Tally, *others: Tally, unfinished: int = 0) -> Figures:
    """Return the figures of a window of two seconds."""
    return figures(
        before=BEFORE,
        after=AFTER,
        window=window,
        whole=(window, *others),
        unfinished=unfinished,
        peak_rss_bytes=3 * 1024 * 1024,
    )


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_a_value_that_was_seen(values: list[float], share: float) -> None:
    """At least that share is not above it, and less than that share is below it."""
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < max(share * len(values), 1)


def test_nothing_seen_has_no_percentile() -> None:
    """Without values there is none."""
    assert percentile([], 0.5) is None


def test_figures_of_answers_in_one_piece() -> None:
    """Rates are per second of the window, CPU per answer, times in milliseconds; there is nothing about events."""
    found = seen(Tally(requests=4, latencies=array("d", [0.001, 0.004, 0.002, 0.003])))
    assert (found.seconds, found.requests_per_s, found.cpu_s_per_1000_requests) == (2, 2, 250)
    assert (found.p50_ms, found.p99_ms) == (2, 4)
    assert (found.target_busy, found.load_busy, found.client_busy, found.other_busy) == (0.5, 0.75, 0.5, 0.25)
    assert found.peak_rss_mb == 3
    assert (found.events_per_s, found.cpu_s_per_100k_events, found.ttft_p50_ms, found.gap_p99_ms) == (None,) * 4


def test_figures_of_streams() -> None:
    """Events have a rate, a cost and gaps, also when no stream ended in the window."""
    found = seen(Tally(events=1000, first_events=array("d", [0.25]), gaps=array("d", [0.5, 0.125])))
    assert (found.events_per_s, found.cpu_s_per_100k_events) == (500, 100)
    assert (found.ttft_p50_ms, found.ttft_p99_ms, found.gap_p99_ms) == (250, 250, 500)
    assert (found.requests_per_s, found.p50_ms, found.cpu_s_per_1000_requests) == (0, None, None)


def test_what_goes_wrong_counts_at_any_time() -> None:
    """Errors and short streams outside the window count as those inside."""
    found = seen(Tally(errors=1), Tally(errors=2, short=3), unfinished=4)
    assert (found.errors, found.short, found.unfinished) == (3, 3, 4)


def test_a_summary_hides_nothing_that_went_wrong() -> None:
    """Figures are medians; what went wrong is summed, so that one bad repetition shows."""
    good = seen(Tally(requests=10))
    runs = [replace(good, errors=5, p99_ms=1.0), replace(good, p99_ms=9.0), replace(good, p99_ms=2.0)]
    found = summary(runs)
    assert (found.errors, found.p99_ms, found.requests_per_s, found.gap_p99_ms) == (5, 2.0, 5.0, None)


@pytest.mark.parametrize(
    ("one", "other", "expected"), [(3.0, 2.0, 1.5), (None, 2.0, None), (3.0, None, None), (3.0, 0.0, None)]
)
def test_a_ratio_needs_two_figures(one: float | None, other: float | None, expected: float | None) -> None:
    """Where one is missing there is no ratio."""
    assert ratio(one, other) == expected
