"""Members of a JSON object can be changed without touching the others."""

import json  # noqa: TID251 - writes the same values in many ways, which the gateway's own codec does not
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.admission.members import edited, members

SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=6)


def written(value: dict[str, Any], *, indent: int | None, ascii_only: bool) -> bytes:
    """Write an object in one of many ways."""
    return json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@given(OBJECTS, st.none() | st.integers(0, 4), st.booleans())
def test_members_are_found_however_they_are_written(
    value: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    """Names and the very bytes of the values, for any object in any layout."""
    text = written(value, indent=indent, ascii_only=ascii_only)
    found = list(members(text))
    assert [member.name for member in found] == list(value)
    assert [json.loads(text[member.value_start : member.end]) for member in found] == list(value.values())


@given(OBJECTS, OBJECTS, st.sets(st.text(), max_size=3), st.none() | st.integers(0, 2))
def test_an_edit_is_what_a_rewrite_would_be(
    value: dict[str, Any], changes: dict[str, Any], without: set[str], indent: int | None
) -> None:
    """Changed members have their new value, unwanted ones are gone, all others are as they were."""
    small = {name: change for name, change in changes.items() if name not in without and _fits(change)}
    text = written(value, indent=indent, ascii_only=True)
    kept = {name: each for name, each in value.items() if name not in without}
    assert json.loads(edited(text, changes=small, without=without)) == kept | small


def _fits(value: object) -> bool:
    """Say whether the codec can write it: it has 64 bits for an integer."""
    try:
        codec.dumps(value)
    except TypeError:
        return False
    return True


def test_what_is_not_changed_keeps_its_bytes() -> None:
    """Numbers of any size, escapes and inner spaces survive an edit of their neighbour."""
    kept = [b'"seed":123456789012345678901234', b'"x": 1.50', b'"t": "\\u00e9\\ud83d\\ude00"', b'"l": [ 1,  2 ]']
    out = edited(b'{ "model" : "a",\n ' + b",\t".join(kept) + b" }", changes={"model": "b"})
    assert out == b",".join([b'{"model" : "b"', *kept]) + b"}"


def test_a_name_is_known_however_it_is_escaped() -> None:
    """A name cannot hide behind an escape."""
    assert (
        edited(b'{"kv\\u005ftransfer_params":{"a":"}"},"b":1}', changes={}, without={"kv_transfer_params"})
        == b'{"b":1}'
    )


def test_a_name_that_appears_twice_is_changed_and_taken_out_twice() -> None:
    """Whichever of them a reader takes, it is the one that is meant."""
    assert edited(b'{"m":1,"m":2}', changes={"m": 3}) == b'{"m":3,"m":3}'
    assert edited(b'{"m":1,"x":0,"m":2}', changes={}, without={"m"}) == b'{"x":0}'


@pytest.mark.parametrize("text", [b"{}", b" { } ", b"{\n}"])
def test_an_empty_object_can_be_filled(text: bytes) -> None:
    """There is nothing to keep and no comma too many."""
    assert edited(text, changes={"a": 1}) == b'{"a":1}'


def test_long_lists_and_texts_are_passed_over_as_a_whole() -> None:
    """A hundred thousand token ids are one value."""
    ids = b"[" + b",".join(b"%d" % number for number in range(100_000)) + b"]"
    text = b'{"prompt":' + ids + b',"image":"' + b"A" * 1_000_000 + b'","model":"a"}'
    assert edited(text, changes={"model": "b"}) == text[:-3] + b'b"}'
