"""Bodies that parsers would read differently, and bodies of too many members (B-05)."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.admission.rules import shape
from vllm_gateway.admission.rules.shape import MAX_MEMBERS, MAX_TEXTS, check_members, check_size
from vllm_gateway.errors import BodyMalformed

TWICE = [
    (b'{"a":1,"a":2}', '"a"'),
    (b'{"a":1,"a":1}', '"a"'),
    (b'{"a":{"b":[1,{"c":1,"c":2}]}}', '"c"'),
    (b'{"model":"x","messages":[{"role":"user","content":"a","content":"b"}]}', '"content"'),
    (b'{"a" : 1, "a"\n:\t2}', '"a"'),
    (b'{"a":1,"\\u0061":2}', '"a"'),
    (b'{"a":1,"a":"\\u003a"}', '"a"'),
    (b'{"a":1,"a":"\\u003A"}', '"a"'),
    (b'{"x\\\\":1,"x\\\\":2}', '"x\\\\"'),
    (b'{"x\\"y":":","x\\"y":"\\":"}', '"x\\"y"'),
    (b'{"":1,"":2}', '""'),
    (b'{"a:b":1,"a:b":2}', '"a:b"'),
    (b'{"a":[1,{"a":1,"a":2}]}', '"a"'),
    (b'{"t":"{","a":1,"a":"}"}', '"a"'),
    (b'{"' + b"n" * 500 + b'":1,"' + b"n" * 500 + b'":2}', '"' + "n" * 64 + '..."'),
]
TEXTS = st.text(st.sampled_from(':"\\{}[], \n\tabA\u00fc\u4f60\U0001f600'), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: "), ("\r\n,", "\n:")])


def written(value: object, spaces: tuple[str, str], *, ensure_ascii: bool) -> bytes:
    """Write JSON in one of the ways in which it can be written."""
    return codec.dumps_spaced(value, separators=spaces, ensure_ascii=ensure_ascii).encode()


def read(body: bytes) -> None:
    """Read a body as the gateway does."""
    check_size(body)
    check_members(body, codec.loads(body))


@pytest.mark.parametrize(("body", "name"), TWICE)
def test_a_name_that_comes_twice_is_refused(body: bytes, name: str) -> None:
    """B-05: at any depth, however it is written; the refusal says which name."""
    with pytest.raises(BodyMalformed) as refusal:
        check_members(body, codec.loads(body))
    assert refusal.value.message == f"The body has the member {name} twice in one object."


@given(OBJECTS, SPACES, st.booleans())
def test_a_body_without_such_a_name_passes(value: dict[str, Any], spaces: tuple[str, str], ensure_ascii: bool) -> None:
    """Whatever its texts and names hold, and however it is written."""
    body = written(value, spaces, ensure_ascii=ensure_ascii)
    check_members(body, codec.loads(body))


@given(OBJECTS, st.tuples(TEXTS, VALUES, VALUES), st.integers(0, 3), SPACES, st.booleans())
def test_a_second_member_of_one_name_is_always_found(
    value: dict[str, Any],
    twice: tuple[str, object, object],
    depth: int,
    spaces: tuple[str, str],
    ensure_ascii: bool,
) -> None:
    """B-05: wherever it stands, and whatever stands around it."""
    name, first, second = twice
    others = written(value, spaces, ensure_ascii=ensure_ascii)[1:-1]
    members = [
        written(name, spaces, ensure_ascii=not ensure_ascii)
        + spaces[1].encode()
        + written(each, spaces, ensure_ascii=ensure_ascii)
        for each in (first, second)
    ]
    body = b"{" + b",".join([others, *members] if others else members) + b"}"
    for _ in range(depth):
        body = b'{"outer": [1, ' + body + b"]}"
    with pytest.raises(BodyMalformed, match="twice in one object"):
        check_members(body, codec.loads(body))


@pytest.mark.parametrize("body", [b'{"a":"b"}', b'{"a":"b:c","d":{"e":[":"]}}', b'{"a": "say \\"x\\": y"}'])
def test_usual_bodies_are_not_scanned(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Colons that the value explains need no closer look."""
    monkeypatch.delattr(shape, "_without_escapes")
    check_members(body, codec.loads(body))


@pytest.mark.parametrize("count", [MAX_MEMBERS, MAX_MEMBERS + 1])
def test_members_are_counted_before_anything_is_parsed(count: int) -> None:
    """B-05: at the limit it passes, one more is refused, in objects of any kind."""
    body = b'{"a":[' + b",".join([b'{"x":":"}'] * (count - 1)) + b"]}"
    if count == MAX_MEMBERS:
        check_size(body)
        return
    with pytest.raises(BodyMalformed, match=f"more than {MAX_MEMBERS} members"):
        check_size(body)


def test_colons_within_texts_are_no_members() -> None:
    """A prompt may hold as many as it likes, quoted or not."""
    check_size(b'{"a":"' + b'\\":' * 200_000 + b":" * 200_000 + b'"}')


def test_very_many_texts_are_refused() -> None:
    """A list of them would take as long as objects do."""
    with pytest.raises(BodyMalformed, match=f"or {MAX_TEXTS} texts"):
        check_size(b'{"a":[' + b",".join([b'":"'] * (MAX_TEXTS + 1)) + b"]}")


HOSTILE = {
    "a million names": b"{" + b",".join(b'"%d":0' % number for number in range(1_000_000)) + b"}",
    "one name, a hundred thousand times": b"{" + b",".join([b'"a":0'] * MAX_MEMBERS) + b"}",
    "a number that is infinite": b'{"a":1e400}',
    "no number": b'{"a":NaN}',
    "infinity": b'{"a":-Infinity}',
    "a hundred thousand digits": b'{"a":' + b"9" * 100_000 + b"}",
    "half a character": b'{"a":"\\ud800"}',
    "half a character as bytes": b'{"a":"\xed\xa0\x80"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a":1}'.encode("utf-16-le"),
    "something behind it": b'{"a":1} {}',
    "a zero byte behind it": b'{"a":1}\x00',
    "very deep lists": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "very deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_are_refused_quickly(body: bytes) -> None:
    """B-05: within 100 ms, be it here or by the parser."""
    took_s = []
    for _ in range(5):
        began = time.process_time()
        with pytest.raises((BodyMalformed, codec.MalformedJson)):
            read(body)
        took_s.append(time.process_time() - began)
    assert min(took_s) < 0.1
