"""Sums as they are shown: as plain values, as a table, as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from vllm_gateway.telemetry.usage.names import KeyNames
from vllm_gateway.telemetry.usage.question import Total, day_name

_COUNTS = ("requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens")

_FORMULA = ("=", "+", "-", "@")


def described(totals: Iterable[Total], names: KeyNames) -> list[dict[str, Any]]:
    """Return sums as plain values: days as dates, and keys with their names beside them."""
    return [_row(total, names) for total in totals]


def columns(by: Sequence[str]) -> list[str]:
    """Return the names of what each row of `described` holds."""
    return [column for group in by for column in ([group, "key_name"] if group == "key" else [group])] + list(_COUNTS)


def table(rows: list[dict[str, Any]], by: Sequence[str]) -> str:
    """Return the rows of `described` in columns, with a last line that sums them up."""
    heads = columns(by)
    last = {column: sum(row[column] for row in rows) if column in _COUNTS else "" for column in heads}
    lines = [
        [head.replace("_", " ").upper() for head in heads],
        *([_cell(row[column]) for column in heads] for row in rows),
        ["TOTAL", *(_cell(last[column]) for column in heads[1:])],
    ]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    return "".join(
        "  ".join(
            cell.rjust(width) if head in _COUNTS else cell.ljust(width)
            for head, cell, width in zip(heads, line, widths, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


def comma_separated(rows: list[dict[str, Any]], by: Sequence[str]) -> str:
    """Return the rows of `described` as CSV; what is unknown is empty, and no name is a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(by), lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: _literal(value) for column, value in row.items()} for row in rows)
    return text.getvalue()


def _row(total: Total, names: KeyNames) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for group, value in total.group.items():
        row[group] = day_name(value) if group == "day" else value
        if group == "key":
            row["key_name"] = names.name(value)
    return row | {count: getattr(total, count) for count in _COUNTS}


def _literal(value: object) -> object:
    """Return what a spreadsheet shows as it is: a text that begins like a formula would be calculated there."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _cell(value: Any) -> str:  # noqa: ANN401 - whatever a column holds
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
