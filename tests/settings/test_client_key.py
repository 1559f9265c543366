"""Client keys in the settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from vllm_gateway.settings.client_key import read_admin_key, read_client_key, read_upstream_key

SENDABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=512)


@given(SENDABLE)
def test_keys_that_clients_can_send_are_taken(text: str) -> None:
    """Printable ASCII without spaces stays as it is."""
    key = SecretStr(text)
    assert read_client_key(key) is key


@pytest.mark.parametrize(
    "text",
    ["", "short-7", "x" * 513, "has a space", "tab\tinside", "line\nbreak", "ключ-ключ", "null\0null", "e\u0301tude-x"],
)
def test_other_keys_are_refused(text: str) -> None:
    """A key that is short, endless or cannot stand in a header is refused, and never repeated."""
    with pytest.raises(ValueError, match="must have 8 to 512 printable ASCII characters") as caught:
        read_client_key(SecretStr(text))
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(("text", "is_taken"), [("x" * 15, False), ("x" * 16, True), ("has a space in it", False)])
def test_an_admin_key_is_longer(text: str, is_taken: bool) -> None:
    """What opens everything must be harder to guess; in all else it is a key like others."""
    if is_taken:
        assert read_admin_key(SecretStr(text)) == SecretStr(text)
        return
    with pytest.raises(ValueError, match="must have"):
        read_admin_key(SecretStr(text))


def test_no_admin_key_is_fine() -> None:
    """There need not be one."""
    assert read_admin_key(None) is None


def test_an_upstream_key_loses_the_line_end_of_its_file() -> None:
    """And none that could end the header it stands in is taken."""
    assert (key := read_upstream_key(SecretStr("K" * 20 + "\r\n"))) is not None
    assert key.get_secret_value() == "K" * 20
    assert read_upstream_key(SecretStr("\n")) is None
    for bad in ("K\r\nX-Injected: y", "two words", "ключ", "K" * 5000):
        with pytest.raises(ValueError, match="printable ASCII"):
            read_upstream_key(SecretStr(bad))
