"""Client keys."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from vllm_gateway.admission.keys import MAX_KEY_BYTES, Keys
from vllm_gateway.errors import KeyRefused
from vllm_gateway.exchange import ANONYMOUS, Caller, Headers
from vllm_gateway.settings.model import Auth

ANN, BOB = "sk-ann-0123456789", "sk-bob-0123456789"
KEYS = Keys(Auth(mode="keys", client_keys=(SecretStr(ANN), SecretStr(BOB))))
OPEN = Keys(Auth())


def _caller(key: str) -> Caller:
    return Caller("key-" + hashlib.sha256(key.encode()).hexdigest()[:16])


def _refused(keys: Keys, headers: Headers) -> str:
    with pytest.raises(KeyRefused) as caught:
        keys.admit(headers)
    assert caught.value.status == 401
    return caught.value.message


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
def test_a_right_key_admits_in_every_header(header: tuple[bytes, bytes]) -> None:
    """Each of the three headers takes a key; its owner is the same in all of them."""
    assert KEYS.admit([(b"host", b"h"), header]) == _caller(ANN)


def test_each_key_is_a_caller_of_its_own() -> None:
    """Two keys are two callers, and neither id tells anything of the key."""
    ann, bob = (KEYS.admit([(b"api-key", key.encode())]) for key in (ANN, BOB))
    assert ann == _caller(ANN)
    assert bob == _caller(BOB)
    assert ann != bob


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"h"), (b"cookie", ANN.encode())],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer  ")],
        [(b"authorization", ANN.encode())],
        [(b"authorization", b"Basic c2stYW5u")],
        [(b"x-api-key", b" ")],
        [(b"x-api-key", ANN.encode()), (b"x-api-key", ANN.encode())],
        [(b"api-key", b"")] * 5000,
    ],
    ids=lambda headers: str(headers[:2]),
)
def test_who_sends_no_key_is_told_how(headers: Headers) -> None:
    """Without a key, with an empty one, or with one header twice, the sentence says where a key goes."""
    assert "Authorization: Bearer KEY" in _refused(KEYS, headers)


@pytest.mark.parametrize(
    "key",
    [b"sk-ann-012345678", b"sk-ann-01234567890", b"SK-ANN-0123456789", b"\xff\xfe\x00", "ключ".encode(), b"x" * 60_000],
    ids=lambda key: str(key[:20]),
)
def test_a_wrong_key_is_refused(key: bytes) -> None:
    """A key that is not known is refused, whatever its bytes, and the sentence does not repeat it."""
    for headers in ([(b"x-api-key", key)], [(b"authorization", b"Bearer " + key)]):
        sentence = _refused(KEYS, headers)
        assert "not one that is known" in sentence
        assert "sk-" not in sentence.lower()


def test_any_right_key_among_several_headers_admits() -> None:
    """A library that sends a placeholder in one header does not spoil the right key in another."""
    headers = [(b"authorization", b"Bearer EMPTY"), (b"x-api-key", BOB.encode())]
    assert KEYS.admit(headers) == _caller(BOB)
    twice = [(b"x-api-key", b"a"), (b"x-api-key", b"b"), (b"api-key", ANN.encode())]
    assert KEYS.admit(twice) == _caller(ANN)


def test_without_keys_everybody_is_the_same() -> None:
    """With the mode `none` nobody is asked, whatever is sent, and no key is known, not even a configured one."""
    assert OPEN.admit([]) is ANONYMOUS
    assert OPEN.admit([(b"x-api-key", b"anything")]) is ANONYMOUS
    shut_off = Keys(Auth(mode="none", client_keys=(SecretStr(ANN),)))
    assert not shut_off.are_asked_for
    assert not shut_off.is_known(ANN)


def test_a_mode_that_is_not_known_lets_nobody_in() -> None:
    """Where keys are asked for in a way that is not there yet, the door is shut."""
    assert "not one that is known" in _refused(Keys(Auth(mode="upstream")), [(b"api-key", ANN.encode())])


def test_a_bare_key_can_be_asked_about() -> None:
    """A key from a body is known or not; text that no header could carry is not."""
    assert KEYS.is_known(ANN)
    assert not any(KEYS.is_known(key) for key in ("", ANN[:-1], f" {ANN}", "ключ", "\ud800", "x" * (MAX_KEY_BYTES + 1)))


def test_keys_are_not_kept() -> None:
    """Only digests stay in memory where they can be printed."""
    assert ANN not in repr(vars(KEYS))


NAMES = st.sampled_from([b"authorization", b"x-api-key", b"api-key", b"accept"])
VALUES = st.binary(max_size=40) | st.sampled_from([b"Bearer " + ANN.encode(), BOB.encode(), b"Bearer", b""])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5))
def test_headers_admit_an_owner_of_a_key_or_nobody(headers: Headers) -> None:
    """Whatever is sent, a caller comes in only with a known key in a header that is there once."""
    try:
        caller = KEYS.admit(headers)
    except KeyRefused:
        caller = None
    once = [(name, value) for name, value in headers if [each for each, _ in headers].count(name) == 1]
    owners = [
        _caller(key)
        for name, value in once
        for key in (ANN, BOB)
        if name != b"accept" and value == (b"Bearer " if name == b"authorization" else b"") + key.encode()
    ]
    assert (caller in owners) if owners else (caller is None)
