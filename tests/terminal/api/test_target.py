"""Where a gateway is."""

import pytest

from vllm_gateway.terminal.api import Target


@pytest.mark.parametrize(
    ("url", "target", "shown"),
    [
        ("http://127.0.0.1:8080", Target("127.0.0.1", 8080), "http://127.0.0.1:8080"),
        ("gateway:9000/v1/", Target("gateway", 9000), "http://gateway:9000"),
        ("https://ai.example/llm/v1", Target("ai.example", 443, "/llm", is_tls=True), "https://ai.example/llm"),
        ("http://[::1]:8080", Target("::1", 8080), "http://[::1]:8080"),
    ],
)
def test_an_address_is_understood_as_people_write_it(url: str, target: Target, shown: str) -> None:
    """With or without a scheme, a path before `/v1`, and `/v1` itself."""
    assert Target.at(url) == target
    assert target.url == shown


@pytest.mark.parametrize(
    "url", ["", "ftp://a", "http://", "http://a:x", "http://a b", "http://a:99999", "http://a\r\n"]
)
def test_what_is_no_address_is_told_with_an_example(url: str) -> None:
    """A mistake is one sentence that shows what an address looks like."""
    with pytest.raises(ValueError, match="it should look like http://127"):
        Target.at(url)


def test_a_key_is_never_shown_and_fits_into_a_header() -> None:
    """It is not part of what is printed, and one with a line break in it is refused."""
    assert "secret" not in repr(Target.at("a:1", "secret"))
    with pytest.raises(ValueError, match="Copy it again"):
        Target.at("a:1", "secret\n")
