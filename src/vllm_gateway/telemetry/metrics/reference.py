"""The list of metrics as a page for people: the part of docs/metrics.md that is made from the definitions."""

from collections.abc import Iterator

from vllm_gateway.telemetry.metrics.definitions import METRICS, Metric
from vllm_gateway.telemetry.metrics.text import number

BEGIN, END = "<!-- metrics: begin -->\n", "<!-- metrics: end -->\n"
"""Between these lines of the page stands the table."""


def table() -> str:
    """Return the table, in Markdown."""
    return "".join(f"{line}\n" for line in _lines())


def renewed(page: str) -> str:
    """Return a page with the table as it is now.

    Raises:
        ValueError: the page has no place for it.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the table")
    return f"{before}{BEGIN}{table()}{END}{after}"


def _lines() -> Iterator[str]:
    yield "| metric | labels | what it says |"
    yield "|---|---|---|"
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` ({metric.kind.value}) | {labels} | {metric.help}{_buckets(metric)} |"


def _buckets(metric: Metric) -> str:
    if not metric.buckets:
        return ""
    return f" Buckets: {', '.join(number(bound) for bound in metric.buckets)}."
