"""The table of all gateways: a column for each, a row for each figure, and how ours stands to the others. Pure."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

from benchmarks.figures import Figures, ratio
from benchmarks.seen_by_bench import Seen

DIRECT, LIMIT, OURS, ROUTER = "direct", "nginx", "gateway", "vllm-router"
BUSY = 0.95
"""From this share of its core on, the load client and the replica are what limits."""
DISTURBED = 0.1
"""From this share of a core on, other programs disturb."""


@dataclass(frozen=True, slots=True)
class Column:
    """What one target has shown: medians by scenario, and what `vllm-gateway bench` saw."""

    figures: Mapping[str, Figures]
    seen: Seen | None


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one scenario."""

    scenario: str
    label: str
    field: str

    def of(self, column: Column) -> float | None:
        """Return the figure, or None where there is none."""
        if self.scenario == "bench":
            return None if column.seen is None else getattr(column.seen, self.field)
        return getattr(column.figures.get(self.scenario), self.field, None)


ROWS = (
    Row("one", "1 connection: p50 ms", "p50_ms"),
    Row("c32", "32 connections: requests/s", "requests_per_s"),
    Row("c32", "32 connections: CPU s per 1,000", "cpu_s_per_1000_requests"),
    Row("c128", "128 connections: requests/s", "requests_per_s"),
    Row("c128", "128 connections: CPU s per 1,000", "cpu_s_per_1000_requests"),
    Row("live1000", "1,000 streams: events/s", "events_per_s"),
    Row("live1000", "1,000 streams: CPU s per 100,000 events", "cpu_s_per_100k_events"),
    Row("live1000", "1,000 streams: TTFT p50 ms", "ttft_p50_ms"),
    Row("live1000", "1,000 streams: gap p99 ms", "gap_p99_ms"),
    Row("live1000", "1,000 streams: peak RSS MB", "peak_rss_mb"),
    Row("bench", "`bench`, 200 streams: TTFT p50 ms", "ttft_p50_ms"),
    Row("bench", "`bench`, 200 streams: TTFT p99 ms", "ttft_p99_ms"),
    Row("bench", "`bench`, 200 streams: ITL p99 ms", "itl_p99_ms"),
)


def middle(repetitions: Sequence[Seen]) -> Seen | None:
    """Return the median of each time, and the sum of each count."""
    if not repetitions:
        return None
    merged: dict[str, float | None] = {}
    for each in fields(Seen):
        values = [value for one in repetitions if (value := getattr(one, each.name)) is not None]
        if each.name in {"answered", "failed"}:
            merged[each.name] = sum(values)
        else:
            merged[each.name] = statistics.median(values) if values else None
    return Seen(**merged)  # type: ignore[arg-type]  # the counts are sums of integers


def table(columns: Mapping[str, Column]) -> str:
    """Return the figures as a Markdown table, a column for each target."""
    rows = [["", *columns]]
    rows += [[row.label, *(shown(row.of(each)) for each in columns.values())] for row in ROWS]
    rows.append(["went wrong", *(went_wrong(each) for each in columns.values())])
    return markdown(rows)


def went_wrong(column: Column) -> str:
    """Return what was no whole answer, by the scenario in which it happened."""
    found = []
    for name, figures in column.figures.items():
        counts = {"errors": figures.errors, "short": figures.short, "unfinished": figures.unfinished}
        if told := ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count):
            found.append(f"{name}: {told}")
    if column.seen is not None and column.seen.failed:
        found.append(f"bench: {column.seen.failed:,} of {column.seen.failed + column.seen.answered:,} failed")
    return "; ".join(found) or "nothing"


def standing(columns: Mapping[str, Column]) -> str:
    """Return how the gateway stands to nginx and to the router in Rust, as a Markdown table; nothing without them."""
    rows = [["", OURS], *([label, shown(value)] for label, value in _comparisons(columns) if value is not None)]
    return markdown(rows) if len(rows) > 1 else ""


def limits(columns: Mapping[str, Column]) -> list[str]:
    """Return where something else than the target was the limit, so that a speed is only the least there can be."""
    all_figures = {
        f"{target} in {scenario}": figures
        for target, column in columns.items()
        for scenario, figures in column.figures.items()
    }
    found = []
    if full := [name for name, figures in all_figures.items() if (figures.load_busy or 0) > BUSY]:
        found.append(f"The core of client and replica was more than {BUSY:.0%} busy: {', '.join(full)}.")
    disturbed = max((figures.other_busy or 0 for figures in all_figures.values()), default=0)
    if disturbed > DISTURBED:
        found.append(f"Other programs used up to {disturbed:.0%} of a core meanwhile: measure again when it is quiet.")
    return found


def shown(value: float | None) -> str:
    """Return a figure with as many digits as say something."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - enough digits


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table whose columns also line up as plain text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    rule = " | ".join(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join(f"| {line} |" for line in [lines[0], rule, *lines[1:]])


def _comparisons(columns: Mapping[str, Column]) -> list[tuple[str, float | None]]:
    def compared(
        label: str, row: Row, other: str, how: Callable[[float | None, float | None], float | None]
    ) -> tuple[str, float | None]:
        both = OURS in columns and other in columns
        return label, how(row.of(columns[OURS]), row.of(columns[other])) if both else None

    by = {(row.scenario, row.field): row for row in ROWS}
    latency, speed = by["one", "p50_ms"], by["c32", "requests_per_s"]
    cost, gap = by["live1000", "cpu_s_per_100k_events"], by["live1000", "gap_p99_ms"]
    return [
        compared("1 connection: added p50 ms", latency, DIRECT, _more),
        compared(f"32 connections: requests/s, ratio to {ROUTER}", speed, ROUTER, ratio),
        compared(f"32 connections: requests/s, ratio to {LIMIT}", speed, LIMIT, ratio),
        compared(f"1,000 streams: CPU per event, ratio to {LIMIT}", cost, LIMIT, ratio),
        compared(f"1,000 streams: gap p99, ms more than {LIMIT}", gap, LIMIT, _more),
    ]


def _more(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
