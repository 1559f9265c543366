"""What can be asked of the ledger: sums over some days, grouped and narrowed down."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

GROUPS = ("key", "model", "day", "replica", "outcome")
"""What can be summed up by."""
MAX_ROWS = 10_000
"""Rows of one answer; more are for a tool that reads the database itself."""
_DEFAULT_DAYS = 30
_DAY_S = 86_400
_EPOCH = date(1970, 1, 1)


class QuestionInvalid(ValueError):
    """A question that cannot be answered; `str()` of it is one sentence that says what to do."""

    def __init__(self, param: str, sentence: str) -> None:
        super().__init__(sentence)
        self.param = param


@dataclass(frozen=True, slots=True)
class Question:
    """Which records are summed up, and by what."""

    first_day: int
    last_day: int
    """The days (UTC, counted from 1970) on which the requests ended, both included."""
    by: tuple[str, ...]
    callers: frozenset[str] | None = None
    """Only requests with these keys; None: all."""
    model: str | None = None
    """Only what this model answered; None: all."""


@dataclass(frozen=True, slots=True)
class Total:
    """The sums over one group."""

    group: dict[str, Any]
    """What it was grouped by; under `day` the number of the day."""
    requests: int
    failed: int
    """Those that did not end with a whole answer."""
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


def day_of(wall: float) -> int:
    """Return the number of the day (UTC) that a time is in."""
    return int(wall // _DAY_S)


def day_name(day: int) -> str:
    """Return a day as people write it."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def read_question(
    *,
    now: float,
    first: str | None = None,
    last: str | None = None,
    by: str = "day",
    callers: frozenset[str] | None = None,
    model: str | None = None,
) -> Question:
    """Return the question that is meant by words; where no days are named it is about the last thirty.

    Raises:
        QuestionInvalid: a word means nothing.
    """
    last_day = day_of(now) if last is None else _day("to", last)
    first_day = last_day - _DEFAULT_DAYS + 1 if first is None else _day("from", first)
    if first_day > last_day:
        raise QuestionInvalid("from", f"{day_name(first_day)} is after {day_name(last_day)}; 'from' is the first day.")
    return Question(max(first_day, 0), last_day, _groups(by), callers, model)


def _day(param: str, text: str) -> int:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise QuestionInvalid(param, f"'{text[:32]}' is no day; write one like 2027-01-31.") from None
    if day < _EPOCH:
        raise QuestionInvalid(param, f"{text} is before 1970; nothing was written down then.")
    return (day - _EPOCH).days


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in groups:
        if name not in GROUPS:
            raise QuestionInvalid("group", f"Usage is not grouped by '{name[:32]}'; choose of {', '.join(GROUPS)}.")
    if not groups:
        raise QuestionInvalid("group", f"Name what to group by: {', '.join(GROUPS)}.")
    return groups
