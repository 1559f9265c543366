"""Figures as words."""

from pathlib import Path

import pytest

from tests.bench.making import answered, failed, findings, paired, planned
from vllm_gateway.bench.figures.knee import Step
from vllm_gateway.bench.figures.summary import summarize
from vllm_gateway.bench.output import tables


def test_totals_tell_what_was_done() -> None:
    """Failures by kind, the share that was good, tokens with those out of the cache."""
    plan = planned(verdict={"goodput": ("ttft:200",)})
    records = [answered(), answered(ttft=0.3), failed(), failed()]
    rows = {row[0]: row[1] for row in tables.totals(findings(records, plan)).rows}
    assert rows == {
        "duration": "2.00 s",
        "answered": "2 of 4",
        "failed": "2 (50 %: http_503 2)",
        "requests/s": "1.00",
        "goodput, requests/s": "0.50 (25 % good)",
        "tokens in": "40 (20.00/s, 8 of them cached)",
        "tokens out": "6 (3.00/s)",
        "most at once": "2",
    }


def test_what_is_not_told_is_said_so() -> None:
    """Rather than a zero."""
    table = tables.totals(findings([answered(input_tokens=None, output_tokens=None)]))
    rows = {row[0]: row[1] for row in table.rows}
    assert rows["tokens in"] == rows["tokens out"] == "not told"


def test_two_targets_stand_beside_each_other() -> None:
    """And what one adds has an interval."""
    found = paired([answered(ttft=0.15)] * 3, [answered(ttft=0.1)] * 3)
    assert tables.totals(found).heading == ["", "gateway", "direct"]
    rows = {row[0]: row[1:] for row in tables.added(found).rows}
    assert rows["TTFT p50"] == ["+50.000", "+50.000 .. +50.000", "yes"]
    assert len(rows) == 12


def test_times_are_shown_where_there_are_any() -> None:
    """In milliseconds."""
    table = tables.times(findings([answered(ttft=0.1, gaps=(0.01,))]).through.summary)
    assert [row[:3] for row in table.rows] == [
        ["TTFB", "50.00", "50.00"],
        ["TTFT", "100.0", "100.0"],
        ["TPOT", "10.00", "10.00"],
        ["ITL", "10.00", "10.00"],
        ["E2E", "110.0", "110.0"],
    ]


def test_rates_are_shown_from_the_lowest() -> None:
    """A star marks those at which the client was the limit."""
    good, bad = summarize([answered()], 1.0), summarize([failed()], 1.0)
    table = tables.sweep(findings([answered()], steps=(Step(4, bad, "too busy"), Step(2, good))))
    assert [(row[0], row[-2], row[-1]) for row in table.rows] == [("2", "100 %", "yes"), ("4", "0 %", "no *")]


def test_models_are_shown_apart() -> None:
    """Each with what was answered."""
    table = tables.models(findings([answered(), answered(model="n"), answered(model="n")]))
    assert [row[:2] for row in table.rows] == [["m", "1 of 1"], ["n", "2 of 2"]]


def test_changes_are_shown_with_a_verdict(tmp_path: Path) -> None:
    """For the figures that a person looks at."""
    path = tmp_path / "old.json"
    path.write_text('{"median_ttft_ms": 50.0, "p50_ttft_ms": 50.0, "failed": 0, "request_throughput": 0.25}')
    table = tables.changes(findings([answered(ttft=0.1)], planned(verdict={"vs": path})))
    assert table.rows == [
        ["failed", "0.00", "0.00", "+0.0 %", ""],
        ["request_throughput", "0.25", "0.50", "+100.0 %", "better"],
        ["median_ttft_ms", "50.00", "100.0", "+100.0 %", "worse"],
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (3.0, "3.00"), (0.123, "0.12"), (12.346, "12.35"), (123.46, "123.5"), (-2.5, "-2.50")],
)
def test_figures_have_as_many_places_as_one_reads(value: float | None, text: str) -> None:
    """Fewer where they are large."""
    assert tables.number(value) == text
