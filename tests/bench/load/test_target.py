"""Addresses."""

import pytest

from vllm_gateway.bench.load.target import Target


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "is_tls"),
    [
        ("http://a:1", "a", 1, "", False),
        ("a:1/v1/", "a", 1, "", False),
        ("https://a.example/llm/v1", "a.example", 443, "/llm", True),
        ("http://[::1]:8", "::1", 8, "", False),
        ("http://a", "a", 80, "", False),
    ],
)
def test_addresses_are_read(url: str, host: str, port: int, path: str, is_tls: bool) -> None:
    """With and without a scheme, `/v1`, and what stands before it."""
    found = Target.at(url)
    assert (found.host, found.port, found.path, found.is_tls) == (host, port, path, is_tls)
    assert (found.tls is not None) is is_tls
    assert Target.at(found.url) == found


@pytest.mark.parametrize("url", ["", "ftp://a", "http://", "http://a:x", "http://a:99999", "http://[::1"])
def test_anything_else_is_a_mistake(url: str) -> None:
    """The sentence shows what an address looks like."""
    with pytest.raises(ValueError, match="it should look like http://127"):
        Target.at(url)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    """The address stands in every report."""
    with pytest.raises(ValueError, match="--api-key") as refused:
        Target.at("http://ann:sesame@a")
    assert "sesame" not in str(refused.value)


def test_a_request_is_whole() -> None:
    """Head, headers and body; a key does not show in what is printed of a target."""
    target = Target.at("http://[::1]:8/llm", {"authorization": "Bearer secret"})
    assert target.request("POST", "/v1/x", b"{}") == (
        b"POST /llm/v1/x HTTP/1.1\r\nhost: [::1]:8\r\nuser-agent: vllm-gateway-bench\r\n"
        b"authorization: Bearer secret\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    )
    assert target.request("GET", "/v1/x").endswith(b"Bearer secret\r\n\r\n")
    assert "secret" not in repr(target)
