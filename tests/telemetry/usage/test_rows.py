"""Rows that every database takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.telemetry.usage.records import DAY, entries, record
from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.telemetry.usage.rows import plain, row_of


def test_a_row_is_the_record_behind_its_number_and_its_day() -> None:
    """In the order in which the record has them, as far as there are columns: what is only for the log is left out."""
    usual = record()
    assert row_of(entries([usual])[0]) == ("w", 0, DAY, *usual[:16])


def test_tokens_stay_within_what_can_be_summed_up() -> None:
    """A replica may say anything."""
    told = row_of(entries([record(prompt_tokens=10**30, completion_tokens=-5, cached_tokens=4)])[0])
    found = dict(zip(UsageRecord._fields, told[3:], strict=False))
    assert (found["prompt_tokens"], found["completion_tokens"], found["cached_tokens"]) == (10**12, 0, 4)


@pytest.mark.parametrize("name", ["request_id", "caller", "model_asked", "model", "replica"])
@pytest.mark.parametrize("words", ["caf\u00e9", "line\nfeed", "\udc80", "x" * 257])
def test_what_no_database_takes_becomes_plain_wherever_it_stands(name: str, words: str) -> None:
    """Nothing else of the row changes by it."""
    told = dict(zip(UsageRecord._fields, row_of(entries([record(**{name: words})])[0])[3:], strict=False))
    assert told == {**dict(zip(UsageRecord._fields, record()[:16], strict=False)), name: plain(words)}


def test_long_names_side_by_side_stay_whole() -> None:
    """Each may be as long as a name may be."""
    usual = record(model="m" * 256, model_asked="a" * 256, replica="r" * 256)
    assert row_of(entries([usual])[0])[3:] == usual[:16]


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
