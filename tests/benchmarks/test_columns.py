"""The table of all gateways."""

from dataclasses import replace

import pytest

from benchmarks import columns
from benchmarks.columns import Column
from benchmarks.seen_by_bench import Seen
from tests.benchmarks.test_report import PLAIN, SLOWER, STREAMED, cells

SEEN = Seen(ttft_p50_ms=21.0, ttft_p99_ms=25.0, itl_p99_ms=22.0, answered=600, failed=0)
FAST = Column({"one": PLAIN, "c32": PLAIN, "c128": PLAIN, "live1000": STREAMED}, SEEN)
OURS = Column(
    {"one": SLOWER, "c32": SLOWER, "c128": SLOWER, "live1000": replace(STREAMED, cpu_s_per_100k_events=3.0)}, SEEN
)


def test_each_target_is_a_column() -> None:
    """Every figure is a row, from every scenario; of what was not measured there is a dash."""
    rows = cells(columns.table({"nginx": FAST, "gateway": OURS, "other": Column({"c32": PLAIN}, None)}))
    assert list(rows) == [*(row.label for row in columns.ROWS), "went wrong"]
    assert rows["32 connections: requests/s"] == {"nginx": "20,000", "gateway": "10,000", "other": "20,000"}
    assert rows["1,000 streams: CPU s per 100,000 events"]["gateway"] == "3"
    assert rows["`bench`, 200 streams: TTFT p99 ms"] == {"nginx": "25", "gateway": "25", "other": "-"}
    assert rows["1 connection: p50 ms"]["other"] == "-"


def test_what_went_wrong_is_told_where_it_did() -> None:
    """A figure of answers that never came says nothing, so the table says how many those were."""
    broken = replace(STREAMED, short=3, unfinished=1200)
    column = Column({"one": PLAIN, "live1000": broken}, replace(SEEN, failed=200))
    assert columns.went_wrong(column) == "live1000: 3 short, 1,200 unfinished; bench: 200 of 800 failed"
    assert columns.went_wrong(FAST) == "nothing"


def test_the_gateway_is_set_beside_the_others() -> None:
    """Ratios to nginx and to the router, differences where time is added."""
    rows = cells(columns.standing({"direct": FAST, "nginx": FAST, "vllm-router": FAST, "gateway": OURS}))
    assert rows["1 connection: added p50 ms"]["gateway"] == "0.25"
    assert rows["32 connections: requests/s, ratio to vllm-router"]["gateway"] == "0.5"
    assert rows["1,000 streams: CPU per event, ratio to nginx"]["gateway"] == "2"
    assert rows["1,000 streams: gap p99, ms more than nginx"]["gateway"] == "0"


def test_without_the_others_there_is_nothing_to_compare() -> None:
    """A column that is not there makes no row, and no rows make no table."""
    assert columns.standing({"gateway": OURS}) == ""
    assert list(cells(columns.standing({"gateway": OURS, "direct": FAST}))) == ["1 connection: added p50 ms"]


def test_a_limit_that_is_not_the_targets_is_told() -> None:
    """Where the client had no time left, or others took it, the reader knows."""
    assert columns.limits({"nginx": FAST}) == []
    busy = replace(PLAIN, load_busy=0.99, other_busy=0.4)
    full, disturbed = columns.limits({"nginx": Column({"c32": busy}, None)})
    assert "nginx in c32" in full
    assert "40%" in disturbed


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "-"), (0.1234, "0.123"), (12345.6, "12,346"), (-250.0, "-250"), (7, "7")]
)
def test_figures_have_as_many_digits_as_say_something(value: float | None, expected: str) -> None:
    """Three, or all those before the point."""
    assert columns.shown(value) == expected


def test_repetitions_become_medians() -> None:
    """Times are medians of those that there are; what failed is summed up."""
    worse = replace(SEEN, ttft_p99_ms=None, itl_p99_ms=90.0, failed=4)
    assert columns.middle([SEEN, worse, SEEN]) == replace(SEEN, answered=1800, failed=4)
    assert columns.middle([]) is None
