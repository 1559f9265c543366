"""Origins of web pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.settings.origins import read_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        (" * ", "*"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("HTTPS://Chat.Example.org", "https://chat.example.org"),
        ("https://chat.example.org:443", "https://chat.example.org"),
        ("http://chat.example.org:80/", "http://chat.example.org"),
        ("http://chat.example.org:443", "http://chat.example.org:443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("tauri://localhost", "tauri://localhost"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
    ],
)
def test_origins_have_the_form_of_browsers(text: str, origin: str) -> None:
    """However it is written, an origin is what browsers send."""
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be an origin"),
        ("chat.example.org", "must be an origin"),
        ("https://chat.example.org/app", "without a path"),
        ("https://chat.example.org?x", "must be an origin"),
        ("https://me@chat.example.org", "must be an origin"),
        ("https://a.org https://b.org", "must be an origin"),
        ("null", "must be an origin"),
        ("https://*.example.org", "one by one"),
        ("**", "one by one"),
    ],
)
def test_what_is_no_origin_is_refused(text: str, said: str) -> None:
    """A text that no browser would ever send as an origin is refused, and so is a pattern."""
    with pytest.raises(ValueError, match=said):
        read_origin(text)


@given(st.text() | st.from_regex(r"https?://[a-z.:/*\[\]0-9]+", fullmatch=True))
def test_what_is_read_stays_when_it_is_read_again(text: str) -> None:
    """Any text is refused with a sentence, or has one form."""
    try:
        origin = read_origin(text)
    except ValueError:
        return
    assert read_origin(origin) == origin
