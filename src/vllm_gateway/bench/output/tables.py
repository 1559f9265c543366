"""The figures as rows of words, for the terminal and for the report."""

from collections.abc import Sequence
from dataclasses import dataclass

from vllm_gateway.bench.figures.distribution import Distribution
from vllm_gateway.bench.figures.summary import Summary
from vllm_gateway.bench.findings import Findings

TITLES = {"ttfb": "TTFB", "ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "e2el": "E2E", "queue": "queue"}
_SHOWN = ("mean", "median", "p90", "p95", "p99", "most")


@dataclass(frozen=True, slots=True)
class Table:
    """A heading and rows; the first column is words, the others are figures."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


def times(summary: Summary) -> Table:
    """Return the times that were measured."""
    heading = ["ms", "mean", "p50", "p90", "p95", "p99", "max"]
    rows = [[TITLES[name], *_figures(spread)] for name, spread in summary.times.items() if spread is not None]
    return Table(heading, rows)


def _figures(spread: Distribution) -> list[str]:
    return [ms(getattr(spread, figure)) for figure in _SHOWN]


def totals(found: Findings) -> Table:
    """Return what was done in all, of each target."""
    sides = [side for side in (found.through, found.direct) if side is not None]
    columns = [_totals(side.summary, has_slo=bool(found.plan.slo.limits_ms)) for side in sides]
    heading = ["", *(("gateway", "direct") if len(sides) > 1 else ("",))]
    return Table(heading, [[name, *(column[name] for column in columns)] for name in columns[0]])


def _totals(summary: Summary, *, has_slo: bool) -> dict[str, str]:
    named = summary.named()
    told = {
        "duration": f"{summary.duration_s:.2f} s",
        "answered": f"{summary.completed} of {summary.asked}",
        "failed": _failed(summary),
        "requests/s": number(named["request_throughput"]),
    }
    if has_slo:
        told["goodput, requests/s"] = f"{number(named['request_goodput'])} ({_percent(named['good_share'])} good)"
    if summary.without_usage < summary.completed:
        cached = "" if summary.cached_tokens is None else f", {summary.cached_tokens} of them cached"
        told |= {
            "tokens in": f"{summary.input_tokens} ({number(named['input_throughput'])}/s{cached})",
            "tokens out": f"{summary.output_tokens} ({number(named['output_throughput'])}/s)",
        }
    else:
        told |= {"tokens in": "not told", "tokens out": "not told"}
    return told | {"most at once": str(summary.most_at_once)}


def _failed(summary: Summary) -> str:
    if not summary.failed:
        return "0"
    kinds = ", ".join(f"{kind} {count}" for kind, count in summary.errors.items())
    return f"{summary.failed} ({_percent(summary.failed / summary.asked)}: {kinds})"


def added(found: Findings) -> Table:
    """Return what the gateway adds."""
    rows = [
        [
            f"{TITLES[measure]} {'mean' if figure == 'mean' else figure}",
            signed_ms(each.value),
            f"{signed_ms(each.low)} .. {signed_ms(each.high)}",
            "yes" if each.is_sure else "no",
        ]
        for measure, figures in found.added.items()
        for figure, each in figures.items()
    ]
    return Table(["added, ms", "gateway - direct", "95 % interval", "other than 0"], rows)


def sweep(found: Findings) -> Table:
    """Return what was measured at each rate, from the lowest."""
    rows = []
    for step in sorted(found.steps, key=lambda each: each.rate_per_s):
        named = step.summary.named()
        shown = ("request_throughput", "output_throughput", "median_ttft_ms", "p99_ttft_ms", "p99_itl_ms")
        kept = "yes" if step.is_kept else "no"
        cells = [number(named[name]) for name in shown]
        rows.append(
            [f"{step.rate_per_s:g}", *cells, _percent(step.good_share), kept + (" *" if step.client_limit else "")]
        )
    heading = ["rate/s", "requests/s", "tokens/s out", "TTFT p50", "TTFT p99", "ITL p99", "good", "kept"]
    return Table(heading, rows)


def models(found: Findings) -> Table:
    """Return what was measured of each model."""
    rows = []
    for name, summary in found.through.by_model.items():
        named = summary.named()
        shown = ("median_ttft_ms", "p99_ttft_ms", "median_e2el_ms", "p99_e2el_ms")
        rows.append([name, f"{summary.completed} of {summary.asked}", *(number(named[each]) for each in shown)])
    return Table(["model", "answered", "TTFT p50", "TTFT p99", "E2E p50", "E2E p99"], rows)


def changes(found: Findings) -> Table:
    """Return how the figures changed since an earlier run, those that a person looks at."""
    rows = []
    for each in found.changes:
        if each.name.startswith(("std_", "p50_", "p95_")):
            continue
        percent = "" if each.percent is None else f"{each.percent:+.1f} %"
        better = {True: "better", False: "worse", None: ""}[each.is_better]
        rows.append([each.name, number(each.then), number(each.now), percent, better])
    return Table(["figure", "then", "now", "change", ""], rows)


def ms(seconds: float) -> str:
    """Return seconds as milliseconds."""
    return number(seconds * 1000)


def signed_ms(seconds: float) -> str:
    """Return a difference in milliseconds."""
    return f"{seconds * 1000:+.3f}"


def number(value: float | None) -> str:
    """Return a figure with as many places as one reads; a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"  # noqa: PLR2004 - enough digits by then


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.4g} %"
