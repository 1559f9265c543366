"""What must be the same so that two requests have the same answer."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.cache.keys import answer_key, digest, fingerprint, is_deterministic, item_keys, once_key

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), VALUES, max_size=5)
CHAT = "/v1/chat/completions"


def key(
    fields: dict[str, Any], *, tenant: str = "t", route: str = "r", path: str = CHAT, stream: bool = False
) -> bytes:
    """Return the key of a body as a caller writes it."""
    body = codec.dumps(fields)
    return answer_key(tenant, [route], path, codec.loads(body), body, is_stream=stream)


@given(FIELDS, st.randoms())
def test_the_order_of_members_makes_no_difference(fields: dict[str, Any], chance: Any) -> None:  # noqa: ANN401 - Random
    """An object has no order."""
    names = list(fields)
    chance.shuffle(names)
    assert key({name: fields[name] for name in names}) == key(fields)


@given(FIELDS, FIELDS)
def test_other_bodies_have_other_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    """D-06: a hit only when all is equal; true is not 1."""
    assume(one != other)
    assert key(one) != key(other)


def test_a_whole_number_is_the_same_with_a_point() -> None:
    """As a parameter; inside a tool's description, which is written into the prompt, it is not, and neither is true."""
    assert key({"temperature": 0}) == key({"temperature": 0.0}) == key({"temperature": -0.0})
    assert key({"tools": [1]}) != key({"tools": [1.0]})
    assert key({"n": 1}) != key({"n": True})


@given(FIELDS, st.text("abcdefgh", min_size=1, max_size=4), VALUES)
def test_one_more_field_is_another_request(fields: dict[str, Any], name: str, value: object) -> None:
    """Parameters, seeds, tools, and whatever vLLM thinks of next."""
    assume(name not in fields)
    assert key({**fields, name: value}) != key(fields)


def test_every_side_of_a_request_counts() -> None:
    """D-06: who asks, through which route, at which path."""
    keys = [
        key({"a": 1}),
        key({"a": 1}, tenant="u"),
        key({"a": 1}, route="s"),
        key({"a": 1}, path="/v1/completions"),
        key({"a": 1}, tenant="", route="tr"),
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "changed",
    [
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream_options": None},
        {"user": "somebody"},
        {"metadata": {"a": "b"}},
        {"priority": 3},
        {"cache_salt": "s"},
        {"logprobs": False},
    ],
)
def test_who_asks_and_in_which_form_makes_no_difference(changed: dict[str, Any]) -> None:
    """One entry serves both forms; fields that say nothing of the answer are left out, unless their absence tells."""
    plain = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0}
    expected = key({**plain, **({"logprobs": False} if "logprobs" in changed else {})})
    assert key({**plain, **changed}, stream=bool(changed.get("stream"))) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"logprobs": True},
        {"logprobs": 1},
        {"echo": True},
        {"return_token_ids": True},
        {"stream_options": {"continuous_usage_stats": True}},
        {"stream_options": "junk"},
    ],
)
def test_what_one_form_only_can_say_is_kept_by_form(fields: dict[str, Any]) -> None:
    """A stream is not made of an answer that says more, or otherwise."""
    body = codec.dumps({**fields, "stream": True})
    streamed = answer_key("t", ["r"], CHAT, codec.loads(body), body, is_stream=True)
    assert streamed != key(fields)


def test_numbers_that_lose_digits_are_told_apart() -> None:
    """Beyond 64 bits a number is read as the nearest one that there is."""
    bodies = [b'{"seed":98765432109876543210987654321}', b'{"seed":98765432109876543210987654322}']
    keys = {answer_key("t", ["r"], CHAT, codec.loads(body), body, is_stream=False) for body in bodies}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"temperature": 0}, True),
        ({"temperature": 0.0}, True),
        ({"seed": 7}, True),
        ({"seed": 0, "temperature": 1}, True),
        ({}, False),
        ({"temperature": 0.1}, False),
        ({"temperature": None, "seed": None}, False),
        ({"temperature": False}, False),
        ({"temperature": "0"}, False),
        ({"seed": True}, False),
    ],
)
def test_deterministic_is_what_is_greedy_or_seeded(fields: dict[str, Any], *, expected: bool) -> None:
    """Without a word vLLM draws with temperature 1."""
    assert is_deterministic(fields) is expected


def test_items_have_keys_of_their_own() -> None:
    """The same text has the same key in whatever company; other parameters make it another embedding."""
    fields = {"model": "m", "input": ["a", "b"]}
    first = item_keys("t", ["r"], fields, ["a", "b", "a"])
    assert first[0] == first[2] != first[1]
    assert item_keys("t", ["r"], {**fields, "input": "a", "user": "u"}, ["a"]) == first[:1]
    others = [
        item_keys("u", ["r"], fields, ["a"]),
        item_keys("t", ["s"], fields, ["a"]),
        item_keys("t", ["r"], {**fields, "dimensions": 8}, ["a"]),
        item_keys("t", ["r"], fields, [[97]]),
    ]
    assert first[0] not in [each[0] for each in others]


def test_a_name_belongs_to_its_caller() -> None:
    """Two callers may choose the same idempotency key."""
    keys = {once_key("a", "1"), once_key("b", "1"), once_key("a", "2"), once_key("a", "1", "s"), digest(["once", "a1"])}
    assert len(keys) == 5


def test_a_fingerprint_is_of_every_byte() -> None:
    """The same body at another path is another request."""
    assert len({fingerprint("/a", b"{}"), fingerprint("/b", b"{}"), fingerprint("/a", b"{} ")}) == 3
