"""What can be asked of the ledger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.telemetry.usage.question import QuestionInvalid, day_name, day_of, read_question

NOON = 1_800_000_000.0
"""The 15th of January 2027, eight in the morning (UTC)."""
TODAY = day_of(NOON)


def test_without_words_it_is_about_the_last_thirty_days() -> None:
    """Today is one of them; it is grouped by day."""
    question = read_question(now=NOON)
    assert (day_name(question.first_day), day_name(question.last_day)) == ("2026-12-17", "2027-01-15")
    assert question.by == ("day",)
    assert question.callers is None
    assert question.model is None


def test_the_last_day_alone_moves_the_thirty_days() -> None:
    """They end on that day."""
    question = read_question(now=NOON, last="2026-06-30")
    assert (day_name(question.first_day), day_name(question.last_day)) == ("2026-06-01", "2026-06-30")


def test_groups_are_taken_in_their_order_and_once() -> None:
    """Blanks and repetitions do no harm."""
    assert read_question(now=NOON, by=" model, key,model,").by == ("model", "key")


@pytest.mark.parametrize(
    ("words", "param", "sentence"),
    [
        ({"first": "yesterday"}, "from", "'yesterday' is no day; write one like 2027-01-31."),
        ({"last": "2027-02-30"}, "to", "'2027-02-30' is no day; write one like 2027-01-31."),
        ({"last": "9" * 99}, "to", f"'{'9' * 32}' is no day; write one like 2027-01-31."),
        ({"first": "1969-12-31"}, "from", "1969-12-31 is before 1970; nothing was written down then."),
        ({"first": "2027-01-16"}, "from", "2027-01-16 is after 2027-01-15; 'from' is the first day."),
        ({"by": "colour"}, "group", "not grouped by 'colour'; choose of key, model, day, replica, outcome."),
        ({"by": " ,"}, "group", "Name what to group by: key, model, day, replica, outcome."),
    ],
)
def test_words_that_mean_nothing_are_told_in_one_sentence(words: dict[str, str], param: str, sentence: str) -> None:
    """It says which of them, and what to write instead."""
    with pytest.raises(QuestionInvalid) as told:
        read_question(now=NOON, **words)  # type: ignore[arg-type] # words only
    assert sentence in str(told.value)
    assert told.value.param == param


@given(st.integers(0, 2_000_000))
def test_days_are_read_as_they_are_written(day: int) -> None:
    """A day's name leads back to the day."""
    name = day_name(day)
    assert read_question(now=NOON, first=name, last=name).first_day == day
