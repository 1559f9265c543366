"""Prometheus' text format, version 0.0.4."""

from collections.abc import Iterator
from itertools import accumulate

from vllm_gateway.telemetry.metrics.definitions import METRICS, Kind, Metric
from vllm_gateway.telemetry.metrics.series import Labels, Snapshot, Value

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def page(snapshot: Snapshot) -> bytes:
    """Return the page for a snapshot; a metric without a single series is left out."""
    lines: list[str] = []
    for metric in METRICS:
        if series := snapshot.get(metric.name):
            lines.append(f"# HELP {metric.name} {_help(metric.help)}")
            lines.append(f"# TYPE {metric.name} {metric.kind.value}")
            for labels in sorted(series):
                lines += _samples(metric, labels, series[labels])
    return "".join(f"{line}\n" for line in lines).encode()


def escaped(value: str) -> str:
    """Return the value of a label as it stands between its quotation marks."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def number(value: float) -> str:
    """Return a number, a whole one without a point."""
    return str(int(value)) if value.is_integer() else repr(value)


def _samples(metric: Metric, labels: Labels, value: Value) -> Iterator[str]:
    pairs = [f'{name}="{escaped(each)}"' for name, each in zip(metric.labels, labels, strict=True)]
    if metric.kind is not Kind.HISTOGRAM or not isinstance(value, list):
        yield f"{metric.name}{_braced(pairs)} {number(float(value)) if not isinstance(value, list) else 0}"
        return
    counts = list(accumulate(value[1:]))
    bounds = [*(number(bound) for bound in metric.buckets), "+Inf"]
    for bound, count in zip(bounds, counts, strict=True):
        le = f'le="{bound}"'
        yield f"{metric.name}_bucket{_braced([*pairs, le])} {number(count)}"
    yield f"{metric.name}_sum{_braced(pairs)} {number(value[0])}"
    yield f"{metric.name}_count{_braced(pairs)} {number(counts[-1])}"


def _braced(pairs: list[str]) -> str:
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _help(words: str) -> str:
    return words.replace("\\", "\\\\").replace("\n", "\\n")
