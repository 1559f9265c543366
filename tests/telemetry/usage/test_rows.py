"""Rows that every database takes."""

from hypothesis import given
from hypothesis import strategies as st

from tests.telemetry.usage.records import DAY, entries, record
from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.telemetry.usage.rows import plain, row_of


def test_a_row_is_the_record_behind_its_number_and_its_day() -> None:
    """In the order in which the record has them."""
    usual = record()
    assert row_of(entries([usual])[0]) == ("w", 0, DAY, *usual)


def test_tokens_stay_within_what_can_be_summed_up() -> None:
    """A replica may say anything."""
    told = row_of(entries([record(prompt_tokens=10**30, completion_tokens=-5, cached_tokens=4)])[0])
    found = dict(zip(UsageRecord._fields, told[3:], strict=True))
    assert (found["prompt_tokens"], found["completion_tokens"], found["cached_tokens"]) == (10**12, 0, 4)


@given(st.text(st.characters(exclude_categories=()), max_size=600))
def test_any_text_becomes_short_and_printable(words: str) -> None:
    """And always the same, so that it can be asked for."""
    kept = plain(words)
    assert kept is not None
    assert len(kept) <= 256
    assert kept.isascii()
    assert kept.isprintable()
    assert plain(kept) == kept


def test_ordinary_names_stay_as_they_are() -> None:
    """Nothing is escaped that needs no escape."""
    assert plain("meta-llama/Llama-3.1-8B:lora 1") == "meta-llama/Llama-3.1-8B:lora 1"
    assert plain(None) is None
