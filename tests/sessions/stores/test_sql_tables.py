"""The tables of conversations."""

from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy.dialects import sqlite

from vllm_gateway.sessions.model import Session
from vllm_gateway.sessions.stores.sql_tables import SESSION, Json, Words, metadata

DIALECT = sqlite.dialect()

values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**53), 2**53)
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(alphabet=some.characters(exclude_categories=["Cs"])),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(alphabet="aé\u0000 "), inner),
)


@given(some.text(alphabet=some.characters(exclude_categories=[])))
def test_any_text_comes_back(text: str) -> None:
    """Half of a surrogate pair included, as a hostile path may hold one."""
    words = Words()
    kept = words.process_bind_param(text, DIALECT)
    assert isinstance(kept, bytes)
    assert words.process_result_value(kept, DIALECT) == text
    assert words.process_bind_param(None, DIALECT) is None
    assert words.process_result_value(None, DIALECT) is None


@given(some.text(), some.text())
def test_texts_keep_their_order(one: str, other: str) -> None:
    """As bytes they are ordered as Python orders them: pages are the same in all stores."""
    words = Words()
    kept: Any = [words.process_bind_param(text, DIALECT) for text in (one, other)]
    assert (kept[0] < kept[1]) == (one < other)


@given(values)
def test_any_json_comes_back(value: object) -> None:
    """As it was."""
    kept = Json().process_bind_param(value, DIALECT)
    assert Json().process_result_value(kept, DIALECT) == value


def test_a_session_is_made_of_its_columns() -> None:
    """In the order of its fields."""
    assert [column.name for column in SESSION] == [field.name for field in fields(Session)]


def test_names_do_not_meet_those_of_others() -> None:
    """A database may hold other tables."""
    assert all(name.startswith("vllm_gateway_") for name in metadata.tables)
