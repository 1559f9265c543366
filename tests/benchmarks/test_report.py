"""Figures for people and for programs."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import report
from benchmarks.figures import Figures
from benchmarks.load import Scenario
from benchmarks.report import Run, cpu_model
from vllm_gateway import codec

ONE = Scenario("one", "one connection", connections=1)
LIVE = Scenario("live", "live streams", connections=200, events=100, gap_ms=20)
PLAIN = Figures(
    seconds=3.0,
    requests_per_s=20_000.0,
    p50_ms=0.1,
    p99_ms=0.5,
    cpu_s_per_1000_requests=0.02,
    events_per_s=None,
    cpu_s_per_100k_events=None,
    ttft_p50_ms=None,
    ttft_p99_ms=None,
    gap_p99_ms=None,
    peak_rss_mb=25.0,
    target_busy=0.5,
    load_busy=0.7,
    client_busy=0.4,
    other_busy=0.0,
    errors=0,
    short=0,
    unfinished=0,
)
SLOWER = replace(PLAIN, requests_per_s=10_000.0, p50_ms=0.35, cpu_s_per_1000_requests=0.05)
STREAMED = replace(PLAIN, events_per_s=10_000.0, cpu_s_per_100k_events=1.5, ttft_p50_ms=1.0, gap_p99_ms=21.0)


def cells(table: str) -> dict[str, dict[str, str]]:
    """Read a Markdown table: row, column, cell."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0]: dict(zip(lines[0][1:], row[1:], strict=True)) for row in lines[2:]}


def test_a_table_has_targets_and_ratios() -> None:
    """Each target is a row, and the gateway is compared with the replica itself and with nginx."""
    rows = cells(report.table(ONE, {"direct": PLAIN, "nginx": PLAIN, "gateway": SLOWER}))
    assert list(rows) == ["direct", "nginx", "gateway", "gateway ÷ direct", "gateway ÷ nginx"]
    assert rows["direct"]["requests/s"] == "20,000"
    assert rows["direct"]["core of target"] == "50%"
    assert rows["gateway"]["CPU s per 1,000 requests"] == "0.05"
    assert rows["gateway ÷ nginx"]["CPU s per 1,000 requests"] == "2.5"
    assert rows["gateway ÷ nginx"]["requests/s"] == "0.5"
    assert rows["gateway ÷ nginx"]["errors"] == ""


def test_a_table_of_streams_is_about_events() -> None:
    """Streams have events and gaps instead of answers; a figure that was not seen is a dash."""
    rows = cells(report.table(LIVE, {"gateway": STREAMED}))
    assert rows["gateway"]["CPU s per 100,000 events"] == "1.5"
    assert rows["gateway"]["TTFT p99 ms"] == "-"
    assert "requests/s" not in rows["gateway"]


def test_columns_line_up() -> None:
    """The table is also read as plain text."""
    lines = report.table(ONE, {"direct": PLAIN, "gateway": SLOWER}).splitlines()
    assert len({len(line) for line in lines}) == 1


def test_what_limits_and_what_disturbs_is_said() -> None:
    """A full core of the load, a full client, strangers and a single core are told with their names."""
    full = replace(PLAIN, load_busy=0.97, client_busy=0.95, other_busy=0.5)
    text = "\n".join(report.caveats({("one", "nginx"): full, ("one", "gateway"): PLAIN}, is_pinned=False))
    assert "more than 90% busy for nginx in one:" in text
    assert "The client alone was more than 90% busy: nginx in one." in text
    assert "Other programs used up to 50% of a core meanwhile." in text
    assert "one core only" in text
    calm = "\n".join(report.caveats({("one", "gateway"): PLAIN}, is_pinned=True))
    assert not any(word in calm for word in ("busy", "Other programs", "one core only"))


def test_the_report_says_where_and_how() -> None:
    """Machine, versions and command stand above the figures, and the latency that is added under its table."""
    what = report.circumstances(datetime(2026, 1, 2, tzinfo=UTC), command="the command", is_pinned=True)
    text = report.markdown(what, [ONE], [Run("one", "direct", 1, PLAIN), Run("one", "gateway", 1, SLOWER)])
    assert text.startswith("# 2026-01-02T00:00:00+00:00")
    assert "`the command` at commit" in text
    assert f"{what.cores} cores, Linux {what.kernel}" in text
    assert f"python {what.versions['python']}" in text
    assert "Added at the median: gateway 0.25 ms." in text


def test_latency_under_full_load_is_not_called_added() -> None:
    """Where each connection asks as fast as it can, the time is that of the queue."""
    what = report.circumstances(datetime(2026, 1, 2, tzinfo=UTC), command="c", is_pinned=True)
    runs = [Run("one", "direct", 1, PLAIN), Run("one", "gateway", 1, SLOWER)]
    assert "Added" not in report.markdown(what, [replace(ONE, connections=32)], runs)


def test_both_files_are_written(tmp_path: Path) -> None:
    """The JSON has the summary, and every run behind it."""
    what = report.circumstances(datetime(2026, 1, 2, tzinfo=UTC), command="c", is_pinned=True)
    runs = [Run("one", "gateway", repetition, replace(PLAIN, p50_ms=float(repetition))) for repetition in (1, 2, 3)]
    for_people, for_programs = report.write(tmp_path / "new", "2026-01-02-x", what, [ONE], runs)
    assert "medians of 3 interleaved repetitions" in for_people.read_text()
    document = codec.loads(for_programs.read_bytes())
    assert document["summaries"][0]["figures"]["p50_ms"] == 2
    assert [run["figures"]["p50_ms"] for run in document["runs"]] == [1, 2, 3]
    assert document["circumstances"]["command"] == "c"


def test_the_processor_is_named_where_it_has_a_name() -> None:
    """Without a name the architecture stands there."""
    assert cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n") == "Some CPU @ 2 GHz"
    assert cpu_model("processor\t: 0\n")
