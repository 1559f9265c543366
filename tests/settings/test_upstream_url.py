"""Addresses of replicas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.settings.upstream_url import read_upstream_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("HTTP://VLLM_a.Local:8000/v1", "http://vllm_a.local:8000/v1"),
        ("https://vllm.example.org", "https://vllm.example.org"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://gpu.example.org/team-a/v1/", "https://gpu.example.org/team-a/v1"),
    ],
)
def test_addresses_have_one_form(text: str, expected: str) -> None:
    """A valid address keeps its meaning and loses its trailing slash."""
    assert read_upstream_url(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must begin with http"),
        ("127.0.0.1:8000", "must begin with http"),
        ("localhost:8000/v1", "must begin with http"),
        ("ftp://h:1", "must begin with http"),
        ("http:h", "must begin with http"),
        ("http://me:sesame@h:1", "must not hold a user or a password"),
        ("http://me@h:1", "must not hold a user or a password"),
        ("http://h:1?x=1", "must not have a query"),
        ("http://h:1/v1?", "must not have a query"),
        ("http://h:1#x", "must not have a query or a fragment"),
        ("http://", "valid host and port"),
        ("http://:80", "valid host and port"),
        ("http://h:0", "valid host and port"),
        ("http://h:65536", "valid host and port"),
        ("http://h:port", "valid host and port"),
        ("http://a b", "valid host and port"),
        ("http://h..é", "valid host and port"),
        ("http://[::1", "valid host and port"),
        ("http://[::g]", "valid host and port"),
        ("http://h/v1/../x", "must end after /v1"),
        ("http://h/v1/chat", "must end after /v1"),
        ("http://h/a%2Fb", "must end after /v1"),
        ("http://h//a", "must end after /v1"),
    ],
)
def test_other_texts_are_refused_with_one_sentence(text: str, said: str) -> None:
    """What is no replica's address is refused, and the sentence says why."""
    with pytest.raises(ValueError, match=said) as caught:
        read_upstream_url(text)
    assert "sesame" not in str(caught.value)


@given(st.text() | st.text(alphabet="htps:/v1@#?[]:. a0").map("http://{}".format))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text breaks the reader, and what it returns it reads again unchanged."""
    try:
        url = read_upstream_url(text)
    except ValueError:
        return
    assert read_upstream_url(url) == url
