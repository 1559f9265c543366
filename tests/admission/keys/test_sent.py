"""The keys in a request's headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.admission.keys.secret import digest
from vllm_gateway.admission.keys.sent import MAX_KEY_BYTES, keys_in, keys_of, no_key, wrong_key
from vllm_gateway.exchange import Head, Headers

KEY = b"sk-ann-0123456789"


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer sk-ann-0123456789"),
        (b"authorization", b"bearer   sk-ann-0123456789 "),
        (b"authorization", b" BEARER sk-ann-0123456789"),
        (b"x-api-key", b"sk-ann-0123456789"),
        (b"x-api-key", b"\tsk-ann-0123456789 "),
        (b"api-key", b"sk-ann-0123456789"),
    ],
    ids=str,
)
def test_a_key_is_found_in_every_header(header: tuple[bytes, bytes]) -> None:
    """Each of the three headers takes a key."""
    assert keys_in([(b"host", b"h"), header]) == [KEY]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"h"), (b"cookie", KEY)],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer  ")],
        [(b"authorization", KEY)],
        [(b"authorization", b"Basic c2stYW5u")],
        [(b"x-api-key", b" ")],
        [(b"x-api-key", KEY), (b"x-api-key", KEY)],
        [(b"api-key", b"")] * 5000,
    ],
    ids=lambda headers: str(headers[:2]),
)
def test_what_is_no_key_is_not_taken_for_one(headers: Headers) -> None:
    """No key, an empty one, another scheme, or one header twice."""
    assert keys_in(headers) == []


NAMES = st.sampled_from([b"authorization", b"x-api-key", b"api-key", b"accept"])


@given(st.lists(st.tuples(NAMES, st.binary(max_size=40) | st.sampled_from([b"Bearer " + KEY, b"Bearer"])), max_size=6))
def test_any_headers_can_be_read(headers: Headers) -> None:
    """S-05: whatever is sent, at most one key comes out of each header, and none of them is empty or from elsewhere."""
    found = keys_in(headers)
    assert len(found) <= 3
    assert all(found)
    assert all(any(key in value for name, value in headers if name != b"accept") for key in found)


def test_both_refusals_say_what_to_do() -> None:
    """S-05: the sentences are constant, so they tell nothing of any key."""
    assert "Authorization: Bearer KEY" in str(no_key())
    assert str(wrong_key()) == str(wrong_key())
    assert {no_key().status, wrong_key().status} == {401}


def test_a_head_is_looked_at_once() -> None:
    """Its keys and their digests stay with it; what is longer than any key has none."""
    head = Head([(b"x-api-key", KEY), (b"authorization", b"Bearer " + b"x" * (MAX_KEY_BYTES + 1))])
    found = keys_of(head)
    assert found == [(KEY, digest(KEY)), (b"x" * (MAX_KEY_BYTES + 1), b"")]
    assert keys_of(head) is found
    assert KEY.decode() not in repr(head)
