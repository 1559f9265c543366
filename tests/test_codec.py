"""JSON in and out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_what_is_written_is_read_back(value: object) -> None:
    """Every JSON value survives the way out and in, in both forms."""
    assert codec.loads(codec.dumps(value)) == value
    assert codec.loads(codec.dumps_pretty(value)) == value


def test_compact_json_is_utf8_in_the_order_given() -> None:
    """No byte is spent on spaces, escapes or sorting."""
    assert codec.dumps({"b": "ü", "a": [1, None, True]}) == '{"b":"ü","a":[1,null,true]}'.encode()


def test_pretty_json_ends_its_line() -> None:
    """A file or a terminal gets a whole last line."""
    assert codec.dumps_pretty({"a": 1}) == b'{\n  "a": 1\n}\n'


@pytest.mark.parametrize("text", [b"", b"{", b"nope", b"{'a': 1}", b"[1,]", b"\xff", b"NaN", b"[" * 5000, b"1e999"])
def test_what_is_no_json_is_malformed(text: bytes) -> None:
    """Anything else is one kind of error, and that is a `ValueError`."""
    with pytest.raises(codec.MalformedJson):
        codec.loads(text)
    assert issubclass(codec.MalformedJson, ValueError)


@pytest.mark.parametrize("text", ['{"a":1}', b'{"a":1}', bytearray(b'{"a":1}'), memoryview(b'{"a":1}')])
def test_text_and_bytes_read_alike(text: str | bytes) -> None:
    """It does not matter in which form the text came."""
    assert codec.loads(text) == {"a": 1}


@pytest.mark.parametrize(
    ("value", "depth"),
    [(1, 0), ([], 1), ({}, 1), ({"a": [1]}, 2), ([[], {"a": {"b": 1}}], 3), ({"a": 1, "b": [[]]}, 3)],
)
def test_depth_is_counted_by_brackets(value: object, depth: int) -> None:
    """The deepest way down counts; a value that is as deep as allowed is not deeper."""
    assert not codec.is_deeper(value, depth)
    assert depth == 0 or codec.is_deeper(value, depth - 1)


def test_depth_has_no_end() -> None:
    """A value nested deeper than Python recurses is looked at like any other."""
    value: object = 0
    for _ in range(100_000):
        value = [value]
    assert codec.is_deeper(value, 64)
