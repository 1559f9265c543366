"""The text that a kept answer is."""

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.cache.kept import Kept, decode, encode
from vllm_gateway.exchange import Usage

COUNTS = st.integers(0, 2**31)
KEPT = st.builds(
    Kept,
    body=st.binary(),
    at=st.floats(0, 4e9),
    is_stream=st.booleans(),
    tells_usage=st.booleans(),
    usage=st.none() | st.builds(Usage, COUNTS, COUNTS, COUNTS),
    fingerprint=st.binary(max_size=32),
)


@given(KEPT)
def test_what_is_kept_comes_back(kept: Kept) -> None:
    """Whatever bytes the answer is made of."""
    assert decode(encode(kept)) == kept


@given(st.binary())
def test_what_nobody_kept_is_nothing(text: bytes) -> None:
    """Another program's text, or half of one, is as good as not there."""
    assert decode(text) is None


def test_another_version_is_nothing() -> None:
    """A gateway that keeps in another form may share the store."""
    text = encode(Kept(b"x", 1.0))[8:].replace(b"[1,", b"[2,", 1)
    assert decode(b"%08x" % crc32(text) + text) is None


@given(KEPT, st.integers(0), st.integers(1, 255))
def test_a_damaged_answer_is_nothing(kept: Kept, place: int, change: int) -> None:
    """Be it cut short or altered: it would be somebody's answer."""
    text = encode(kept)
    place %= len(text)
    assert decode(text[:place]) is None
    assert decode(text[:place] + bytes([text[place] ^ change]) + text[place + 1 :]) is None


def test_an_age_is_whole_seconds() -> None:
    """A clock that went back makes nothing younger than new."""
    assert (Kept(b"", 10.0).age_s(12.9), Kept(b"", 10.0).age_s(9.0)) == (2, 0)
