"""Keys as they are shown to those who look after them: never a digest, times as people write them."""

from datetime import UTC, datetime
from typing import Any

from vllm_gateway.admission.keys.record import KeyRecord
from vllm_gateway.callers import Allowance

_HEADS = ("ID", "NAME", "KEY", "MODELS", "LIMITS", "CLASS", "CREATED", "EXPIRES", "STATE")
_LIMITS = {
    "requests_per_minute": "rpm",
    "requests_per_second": "rps",
    "tokens_per_minute": "tpm",
    "tokens_per_day": "tokens/day",
    "concurrent": "at once",
}


def described(record: KeyRecord, wall: float) -> dict[str, Any]:
    """Return what may be told of a key, as plain values."""
    row = record.as_row()
    return {
        "id": record.id,
        "name": record.name,
        "hint": record.hint,
        "models": list(record.models),
        **{limit: row[limit] for limit in Allowance.__slots__},
        "class": record.priority.value,
        "created": _time(record.created),
        "expires": _time(record.expires),
        "revoked": _time(record.revoked),
        "state": _state(record, wall),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows of `described` in columns."""
    lines = [_HEADS, *(_line(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    limits = ", ".join(f"{row[limit]} {unit}" for limit, unit in _LIMITS.items() if row[limit])
    return (
        row["id"],
        row["name"],
        row["hint"],
        ", ".join(row["models"]) or "all",
        limits or "-",
        row["class"],
        _day(row["created"]),
        _day(row["expires"]),
        row["state"],
    )


def _state(record: KeyRecord, wall: float) -> str:
    if record.revoked is not None:
        return "revoked"
    return "valid" if record.is_valid(wall) else "expired"


def _time(wall: float | None) -> str | None:
    return None if wall is None else datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(time: str | None) -> str:
    return "-" if time is None else time[:16].replace("T", " ")
