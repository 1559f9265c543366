"""The ledger's table, and what is said to it, in the words that SQLite and PostgreSQL share."""

from typing import Any

from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.usage.question import MAX_ROWS, Question, Total
from vllm_gateway.telemetry.usage.rows import plain

TABLE = "vllm_gateway_usage"
_COLUMNS = {
    "writer": "TEXT NOT NULL",
    "sequence": "BIGINT NOT NULL",
    "day": "INTEGER NOT NULL",
    "request_id": "TEXT NOT NULL",
    "path": "TEXT NOT NULL",
    "started": "DOUBLE PRECISION NOT NULL",
    "ended": "DOUBLE PRECISION NOT NULL",
    "outcome": "TEXT NOT NULL",
    "status": "INTEGER NOT NULL",
    "caller": "TEXT",
    "model_asked": "TEXT",
    "model": "TEXT",
    "replica": "TEXT",
    "attempts": "INTEGER NOT NULL",
    "resumed": "INTEGER NOT NULL",
    "prompt_tokens": "BIGINT NOT NULL",
    "completion_tokens": "BIGINT NOT NULL",
    "cached_tokens": "BIGINT NOT NULL",
    "first_token_s": "DOUBLE PRECISION",
}
"""Those of `row_of`, in that order."""
COLUMNS = len(_COLUMNS)
_NAMES = ", ".join(_COLUMNS)
_DEFINED = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
MAKE_TABLE = f"CREATE TABLE IF NOT EXISTS {TABLE} ({_DEFINED}, PRIMARY KEY (writer, sequence))"
MAKE_INDEX = f"CREATE INDEX IF NOT EXISTS {TABLE}_by_day ON {TABLE} (day)"

_GROUPS = {"key": "caller", "model": "model", "day": "day", "replica": "replica", "outcome": "outcome"}
_WHOLE = ", ".join(f"'{outcome.value}'" for outcome in (Outcome.OK, Outcome.OK_RETRIED, Outcome.OK_RESUMED))
_SUMS = f"""count(*), sum(CASE WHEN outcome IN ({_WHOLE}) THEN 0 ELSE 1 END),
sum(prompt_tokens), sum(completion_tokens), sum(cached_tokens)"""


def insertion(marks: str) -> str:
    """Return the statement that keeps rows, those that are kept already excepted; `marks` stand for their values."""
    return f"INSERT INTO {TABLE} ({_NAMES}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 - words of this module


def deletion(more: str = "") -> str:
    """Return the statement that deletes some of what ended before a day; `more` ends the choice of what is deleted."""
    some = f"SELECT writer, sequence FROM {TABLE} WHERE day < :day LIMIT :limit {more}"  # noqa: S608 - as above
    return f"DELETE FROM {TABLE} WHERE (writer, sequence) IN ({some})"  # noqa: S608 - as above


def summing(question: Question) -> tuple[str, dict[str, Any]]:
    """Return the statement that answers a question, and its values by their names."""
    groups = [_GROUPS[name] for name in question.by]
    wanted, values = _concerned(question)
    statement = (
        f"SELECT {', '.join(groups)}, {_SUMS} FROM {TABLE} WHERE {wanted} GROUP BY {', '.join(groups)} "  # noqa: S608 - as above
        f"ORDER BY {', '.join(f'{column} NULLS FIRST' for column in groups)} LIMIT {MAX_ROWS + 1}"
    )
    return statement, values


def total_of(by: tuple[str, ...], row: tuple[Any, ...]) -> Total:
    """Return the sums of one row of the answer."""
    return Total(dict(zip(by, row, strict=False)), *(int(count) for count in row[len(by) :]))


def _concerned(question: Question) -> tuple[str, dict[str, Any]]:
    wanted = "day >= :first_day AND day <= :last_day"
    values: dict[str, Any] = {"first_day": question.first_day, "last_day": question.last_day}
    if question.callers is not None:
        callers = {f"caller_{place}": plain(caller) for place, caller in enumerate(sorted(question.callers))}
        wanted += f" AND caller IN ({', '.join(f':{name}' for name in callers) or 'NULL'})"
        values |= callers
    if question.model is not None:
        wanted += " AND model = :model"
        values["model"] = plain(question.model)
    return wanted, values
