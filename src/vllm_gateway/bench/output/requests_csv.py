"""One line for each request."""

import csv
import io
from collections.abc import Iterable

from vllm_gateway.bench.findings import Findings, Measured
from vllm_gateway.bench.load.record import Record

COLUMNS = (
    "target",
    "model",
    "conversation",
    "turn",
    "start_s",
    "late_ms",
    "ttfb_ms",
    "ttft_ms",
    "tpot_ms",
    "mean_itl_ms",
    "max_itl_ms",
    "e2e_ms",
    "queue_ms",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "status",
    "error",
)


def requests_csv(found: Findings) -> str:
    """Return a table with a heading."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    first = min((each.planned_at for side in _sides(found) for each in side.records), default=0.0)
    for side in _sides(found):
        table.writerows(_row(side.url, each, first) for each in side.records)
    return text.getvalue()


def _sides(found: Findings) -> list[Measured]:
    return [side for side in (found.through, found.direct) if side is not None]


def _row(target: str, record: Record, first: float) -> Iterable[object]:
    return (
        target,
        record.model,
        record.conversation,
        record.turn,
        round(record.planned_at - first, 6),
        _ms(record.late_s),
        _ms(record.ttfb_s),
        _ms(record.ttft_s),
        _ms(record.tpot_s),
        _ms(record.mean_gap_s),
        _ms(max(record.gaps_s, default=None)),
        _ms(record.e2e_s),
        _ms(record.queue_s),
        record.input_tokens,
        record.cached_tokens,
        record.output_tokens,
        record.status,
        record.error,
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
