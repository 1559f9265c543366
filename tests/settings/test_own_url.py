"""Where this machine reaches its own servers."""

import pytest

from vllm_gateway.settings.own_url import is_own, own_url


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80"), ("10.0.0.1", "http://10.0.0.1:80")],
)
def test_whoever_listens_everywhere_is_asked_on_this_machine(host: str, url: str) -> None:
    """`0.0.0.0` is an address to listen on, not one to ask."""
    assert own_url(host, 80) == url


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("Localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("gateway.local", False),
    ],
)
def test_only_addresses_of_the_loop_are_ours_alone(host: str, expected: bool) -> None:
    """A name may be anybody's, but for one."""
    assert is_own(host) is expected


def test_a_gateway_with_a_certificate_is_asked_by_https() -> None:
    """The rest of its address is the same."""
    assert own_url("0.0.0.0", 8443, is_encrypted=True) == "https://127.0.0.1:8443"
