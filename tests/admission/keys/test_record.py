"""What is kept of a key."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.admission.keys.making import WALL, made
from vllm_gateway.admission.keys.record import KeyRecord, RecordInvalid, from_row, new_record
from vllm_gateway.callers import Allowance, Caller, Priority

SECRET, RECORD = made()
AMOUNTS = st.integers(min_value=0, max_value=1_000_000_000)
TIMES = st.floats(min_value=0, max_value=4_000_000_000)
RECORDS = st.builds(
    KeyRecord,
    id=st.from_regex(r"\Akey_[0-9a-f]{12}\Z"),
    name=st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=64),
    digest=st.from_regex(r"\A[0-9a-f]{64}\Z"),
    hint=st.just("vgw_AbCd…"),
    models=st.lists(st.text(min_size=1, max_size=20), max_size=3).map(tuple),
    allowance=st.builds(Allowance, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS),
    priority=st.sampled_from(Priority),
    created=TIMES,
    expires=TIMES | st.none(),
    revoked=TIMES | st.none(),
)


@given(RECORDS)
def test_a_row_gives_its_record_back(record: KeyRecord) -> None:
    """Nothing is lost on the way into a store and out again."""
    assert from_row(record.as_row(), "entry 1") == record


def test_a_new_record_knows_the_digest_only() -> None:
    """Neither the record nor its row holds the key; the id is of its own."""
    assert RECORD.digest == hashlib.sha256(SECRET.encode()).hexdigest()
    assert SECRET not in f"{RECORD} {RECORD.as_row()}"
    assert RECORD.hint == f"{SECRET[:8]}…"
    assert new_record(SECRET, name="ann", created=WALL).id != RECORD.id


@pytest.mark.parametrize(
    ("changed", "is_valid"),
    [
        ({}, True),
        ({"expires": WALL + 1}, True),
        ({"expires": WALL}, False),
        ({"revoked": WALL - 1}, False),
        ({"revoked": WALL + 1, "expires": WALL + 9}, False),
    ],
    ids=str,
)
def test_a_key_holds_until_it_expires_or_is_revoked(changed: dict[str, Any], is_valid: bool) -> None:
    """At the very second of its expiry it is over; revoked is revoked."""
    assert replace(RECORD, **changed).is_valid(WALL) is is_valid


def test_the_caller_has_what_the_key_was_given() -> None:
    """Models, limits and class are the key's; one without limits leaves them to the settings."""
    plain = Caller(f"key-{RECORD.digest[:16]}")
    assert RECORD.caller() == plain
    given_more = replace(
        RECORD, models=("a", "b"), allowance=Allowance(requests_per_minute=5), priority=Priority.BATCH
    ).caller()
    assert given_more == Caller(plain.id, frozenset({"a", "b"}), Allowance(requests_per_minute=5), Priority.BATCH)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"digest": "ab"}, "entry 3 ('ann'): digest: "),
        ({"id": "key_1"}, "entry 3 ('ann'): id: "),
        ({"name": " ann"}, "entry 3 (' ann'): name: Value error, must be printable, without spaces at its ends."),
        ({"name": "a\nb"}, "entry 3 ('a\\nb'): name: "),
        ({"models": "tiny"}, "entry 3 ('ann'): models: "),
        ({"models": [""]}, "entry 3 ('ann'): models.0: "),
        ({"requests_per_minute": -1}, "entry 3 ('ann'): requests_per_minute: "),
        ({"requests_per_minute": True}, "entry 3 ('ann'): requests_per_minute: "),
        ({"priority": "high"}, "entry 3 ('ann'): priority: "),
        ({"expires": "soon"}, "entry 3 ('ann'): expires: "),
        ({"expires": float("nan")}, "entry 3 ('ann'): expires: "),
        ({"revokd": 1}, "entry 3 ('ann'): revokd: "),
    ],
    ids=str,
)
def test_a_wrong_entry_is_named_in_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    """Which entry, whose key, which field, and what is wrong with it."""
    with pytest.raises(RecordInvalid) as caught:
        from_row(RECORD.as_row() | changed, "entry 3")
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", [None, 7, "key", [], {}], ids=str)
def test_what_is_no_entry_at_all_is_told_too(row: object) -> None:
    """Without a name there is still its place."""
    with pytest.raises(RecordInvalid, match=r"^entry 1: .+\.$"):
        from_row(row, "entry 1")


@pytest.mark.parametrize(
    "written",
    ["2027-01-31", date(2027, 1, 31), datetime(2027, 1, 31, tzinfo=UTC), "2027-01-31T00:00:00Z", 1_801_353_600],
    ids=str,
)
def test_times_can_be_written_as_people_do(written: object) -> None:
    """A day, a time, or seconds; without a zone it is UTC."""
    assert from_row(RECORD.as_row() | {"expires": written}, "entry 1").expires == 1_801_353_600.0


def test_a_new_key_needs_a_proper_name() -> None:
    """A name that no list could show is refused when the key is made."""
    with pytest.raises(RecordInvalid, match=r"^The new key \(''\): name: "):
        new_record(SECRET, name="", created=WALL)
