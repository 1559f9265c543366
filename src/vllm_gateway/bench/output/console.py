"""What is printed at the end."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from vllm_gateway.bench.figures.knee import GOOD_SHARE, knee
from vllm_gateway.bench.findings import Findings
from vllm_gateway.bench.output import tables
from vllm_gateway.bench.output.tables import Table
from vllm_gateway.bench.words import load_in_words


def told(found: Findings, written: Sequence[Path]) -> str:
    """Return the table for a terminal or a log: plain text, whatever the width."""
    return "\n".join(_lines(found, written)) + "\n"


def _lines(found: Findings, written: Sequence[Path]) -> Iterator[str]:
    yield f"{', '.join(found.prepared.models)} at {found.through.url}: {load_in_words(found.plan)}"
    yield ""
    yield from rows(tables.totals(found))
    yield ""
    yield from rows(tables.times(found.through.summary))
    if found.direct is not None:
        yield from ("", "direct")
        yield from rows(tables.times(found.direct.summary))
        yield ""
        yield from rows(tables.added(found))
    if len(found.through.by_model) > 1:
        yield ""
        yield from rows(tables.models(found))
    if found.steps:
        yield ""
        yield from rows(tables.sweep(found))
        yield from ("", knee_in_words(found))
    if found.changes:
        yield ""
        yield from rows(tables.changes(found))
    yield from ("", *remarks(found))
    yield from (f"written: {path}" for path in written)


def rows(table: Table) -> Iterator[str]:
    """Yield the lines of a table: the first column begins, the others end at one place."""
    lines = [table.heading, *table.rows] if any(table.heading) else table.rows
    widths = [max(len(line[at]) for line in lines) for at in range(len(table.heading))]
    for line in lines:
        first, *others = (
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join(["", first, *others]).rstrip()


def knee_in_words(found: Findings) -> str:
    """Return the outcome of a sweep in one sentence."""
    best, wanted = knee(found.steps), f"{GOOD_SHARE:.0%} of answers within {found.plan.slo}"
    if best is None:
        return f"No rate that was tried has {wanted}."
    sentence = f"The highest rate with {wanted} is {best.rate_per_s:g} requests/s"
    if all(step.is_kept for step in found.steps):
        return f"{sentence}, the highest that was tried."
    return f"{sentence}."


def remarks(found: Findings) -> list[str]:
    """Return what is to be known about the figures, and why the run failed if it did."""
    lines = [f"note: {note}" for note in found.notes]
    lines += [f"FAILED: --fail-if {text}" for text in found.broken]
    lines += [
        f"FAILED: {count} requests with {kind}: {_first_text(found, kind)}" for kind, count in found.unexpected.items()
    ]
    if not found.through.summary.completed:
        lines.append("FAILED: no request was answered.")
    return lines


def _first_text(found: Findings, kind: str) -> str:
    sides = [side for side in (found.through, found.direct) if side is not None]
    texts = (each.error_text for side in sides for each in side.records if each.error == kind)
    return " ".join(next(texts, "").split())
