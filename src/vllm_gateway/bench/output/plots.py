"""The plots of a report, each as SVG and PNG."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vllm_gateway.bench.figures.distribution import percentile
from vllm_gateway.bench.figures.knee import knee
from vllm_gateway.bench.findings import Findings, Measured
from vllm_gateway.bench.load.record import Record

_SIZE_IN = (8.0, 4.2)
_DPI = 110
_THROUGH, _DIRECT, _BAD, _QUIET = "#1f6fb4", "#d97706", "#c0392b", "#6b7280"
_STYLE: Any = {
    "svg.hashsalt": "vllm-gateway",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _QUIET,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e7eb",
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "font.size": 10,
    "legend.frameon": False,
}
_BINS = 30


def draw(found: Findings, folder: Path) -> list[tuple[str, str]]:
    """Draw what there is to show into `folder`, and return the titles and names of the SVGs."""
    drawn = []
    with mpl.rc_context(_STYLE):
        for name, title, plot in _plots(found):
            figure = Figure(figsize=_SIZE_IN, layout="constrained")
            axes = figure.subplots()
            axes.set_title(title)
            plot(axes)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            figure.savefig(folder / f"{name}.png", dpi=_DPI)
            drawn.append((title, f"{name}.svg"))
    return drawn


def _plots(found: Findings) -> Iterator[tuple[str, str, Callable[[Axes], None]]]:
    sides = _sides(found)
    if any(each.ttft_s is not None for _, _, side in sides for each in side.records):
        yield "ttft", "Time to the first token", lambda axes: _shares(axes, sides, lambda each: each.ttft_s)
    if any(each.is_good for _, _, side in sides for each in side.records):
        yield "e2e", "Time to the last output", lambda axes: _shares(axes, sides, lambda each: each.e2e_s)
        yield "latency", "Latency over time", lambda axes: _over_time(axes, sides)
    if len(found.steps) > 1:
        yield "sweep", "Answers per second at each rate", lambda axes: _rates(axes, found)
    if any(each.error for _, _, side in sides for each in side.records):
        yield "errors", "Failed requests over time", lambda axes: _errors(axes, sides)


def _sides(found: Findings) -> list[tuple[str, str, Measured]]:
    if found.direct is None:
        return [("", _THROUGH, found.through)]
    return [("gateway", _THROUGH, found.through), ("direct", _DIRECT, found.direct)]


def _shares(axes: Axes, sides: Sequence[tuple[str, str, Measured]], measure: Callable[[Record], float | None]) -> None:
    """Draw which share of the answers came within which time."""
    for name, colour, side in sides:
        values = sorted(value * 1000 for each in side.records if each.is_good and (value := measure(each)) is not None)
        if not values:
            continue
        shares = [(number + 1) / len(values) * 100 for number in range(len(values))]
        axes.step([values[0], *values], [0.0, *shares], where="post", color=colour, label=name or None)
        for share in (50, 99):
            at = percentile(values, share / 100)
            if not name:
                axes.plot([at], [share], "o", color=colour, markersize=4)
                _named(axes, f"p{share} {at:.4g} ms", at, share, is_far_right=at > (values[0] + values[-1]) / 2)
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("% of answers")
    axes.set_ylim(0, 102)
    _legend(axes, sides)


def _named(axes: Axes, text: str, at: float, share: float, *, is_far_right: bool) -> None:
    """Write beside a point of the curve, below it and where there is room."""
    where, side = ((-4, -26), "right") if is_far_right else ((6, -12), "left")
    axes.annotate(text, (at, share), where, textcoords="offset points", color=_QUIET, horizontalalignment=side)


def _over_time(axes: Axes, sides: Sequence[tuple[str, str, Measured]]) -> None:
    """Draw the end-to-end and first-token times of each request at the moment at which it began."""
    first = _first(sides)
    for name, colour, side in sides:
        good = [each for each in side.records if each.is_good]
        starts = [each.planned_at - first for each in good]
        label = f"{name} " if name else ""
        axes.plot(
            starts, [(each.e2e_s or 0.0) * 1000 for each in good], ".", color=colour, markersize=4, label=f"{label}E2E"
        )
        streams = [each for each in good if each.ttft_s is not None]
        if streams:
            axes.plot(
                [each.planned_at - first for each in streams],
                [(each.ttft_s or 0.0) * 1000 for each in streams],
                "x",
                color=colour,
                markersize=4,
                alpha=0.6,
                label=f"{label}TTFT",
            )
    axes.set_xlabel("seconds since the start")
    axes.set_ylabel("milliseconds")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", ncols=4, bbox_to_anchor=(0, -0.16))


def _rates(axes: Axes, found: Findings) -> None:
    """Draw how many answers came, and how many of them were good, at each rate."""
    steps = sorted(found.steps, key=lambda each: each.rate_per_s)
    rates = [each.rate_per_s for each in steps]
    axes.plot(rates, rates, ":", color=_QUIET, label="asked")
    axes.plot(
        rates,
        [each.summary.completed / each.summary.duration_s for each in steps],
        "o-",
        color=_THROUGH,
        label="answered",
    )
    axes.plot(rates, [each.summary.good / each.summary.duration_s for each in steps], "s-", color=_DIRECT, label="good")
    best = knee(found.steps)
    if best is not None:
        axes.axvline(best.rate_per_s, color=_BAD, linewidth=1)
        axes.annotate(
            f" knee: {best.rate_per_s:g}/s", (best.rate_per_s, 0.03), xycoords=("data", "axes fraction"), color=_BAD
        )
    axes.set_xlabel("requests per second asked")
    axes.set_ylabel("per second")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")


def _errors(axes: Axes, sides: Sequence[tuple[str, str, Measured]]) -> None:
    """Draw how many requests of each kind of failure began when."""
    first = _first(sides)
    records = [each for _, _, side in sides for each in side.records]
    span = max(each.planned_at - first for each in records) or 1.0
    width = span / _BINS
    kinds = [kind for kind, _ in Counter(each.error for each in records if each.error).most_common()]
    below = [0] * (_BINS + 1)
    for kind in kinds:
        counts = Counter(int((each.planned_at - first) / width) for each in records if each.error == kind)
        heights = [counts[place] for place in range(_BINS + 1)]
        axes.bar([place * width for place in range(_BINS + 1)], heights, width, below, align="edge", label=kind)
        below = [one + other for one, other in zip(below, heights, strict=True)]
    axes.set_xlim(0, span + width)
    axes.set_xlabel("seconds since the start")
    axes.set_ylabel(f"failed, per {width:.2g} s")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper right")


def _first(sides: Sequence[tuple[str, str, Measured]]) -> float:
    return min(each.planned_at for _, _, side in sides for each in side.records)


def _legend(axes: Axes, sides: Sequence[tuple[str, str, Measured]]) -> None:
    if len(sides) > 1:
        axes.legend(loc="lower right")
