"""Keys that the gateway makes."""

import re

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.admission.keys.secret import digest, has_right_checksum, hint, is_ours, mint
from vllm_gateway.settings.client_key import MAX_CHARACTERS, MIN_CHARACTERS

KEY = mint()


def test_a_new_key_is_recognisable_and_another_each_time() -> None:
    """Its form can be searched for in code and logs; no two are the same."""
    keys = {mint() for _ in range(1000)}
    assert len(keys) == 1000
    assert all(re.fullmatch(r"vgw_[0-9A-Za-z]{38}", key) for key in keys)
    assert all(MIN_CHARACTERS <= len(key) <= MAX_CHARACTERS for key in keys)
    assert all(has_right_checksum(key.encode()) for key in keys)


@given(st.integers(min_value=0, max_value=len(KEY) - 1), st.characters(codec="ascii", categories=["L", "N"]))
def test_one_wrong_character_is_noticed(place: int, character: str) -> None:
    """A key with any one character mistyped has a wrong checksum."""
    mistyped = KEY[:place] + character + KEY[place + 1 :]
    assert has_right_checksum(mistyped.encode()) == (mistyped == KEY)


@given(st.binary(max_size=60))
def test_what_is_no_key_has_no_right_checksum(key: bytes) -> None:
    """Any bytes can be asked about, and those that do not look like ours are none."""
    assert not has_right_checksum(key)
    assert is_ours(key) == key.startswith(b"vgw_")
    assert not has_right_checksum(KEY.encode() + key[:1] + b"!")


def test_a_checksum_stays_what_it_is() -> None:
    """Keys that are out there must be understood by every later version."""
    assert has_right_checksum(b"vgw_0123456789ABCDEFGHIJKLMNOPQRSTUV3LHWr5")


def test_a_digest_and_a_hint_do_not_hold_the_key() -> None:
    """A digest is SHA-256; a hint is eight characters of 42."""
    assert digest(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hint("vgw_AbCdEf") == "vgw_AbCd…"
