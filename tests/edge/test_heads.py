"""Heads by themselves: what is one, and what each refusal says."""

import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.edge.heads import (
    MOST_HEADERS,
    MOST_KEPT_BYTES,
    HeadRefused,
    check_ascii,
    check_head,
    size_of,
    too_large,
    too_slow,
    without_offer,
)
from vllm_gateway.exchange import Headers

HOST = (b"host", b"x")
NAMES = st.text(string.ascii_letters + string.digits + "-._", min_size=1, max_size=255)
PORTS = st.integers(0, 65_535)


def refusal(target: bytes = b"/v1/models", version: str = "1.1", headers: Headers | None = None) -> HeadRefused | None:
    """Return why a head is refused; None when it is not."""
    try:
        check_head(target, version, [HOST] if headers is None else headers)
    except HeadRefused as refused:
        return refused
    return None


@given(NAMES, PORTS)
def test_names_and_ports_are_hosts(name: str, port: int) -> None:
    """Letters, digits, dots, dashes and underscores, with a port or without."""
    assert refusal(headers=[(b"host", name.encode())]) is None
    assert refusal(headers=[(b"host", f"{name}:{port}".encode())]) is None


@given(st.ip_addresses(), PORTS)
def test_addresses_are_hosts(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    """Those of version 6 in brackets, as in every address of the web."""
    host = f"[{address}]" if address.version == 6 else str(address)
    assert refusal(headers=[(b"host", f"{host}:{port}".encode())]) is None
    if address.version == 6:
        assert refusal(headers=[(b"host", str(address).encode())]) is not None


@given(NAMES, st.sampled_from("/?#@\\%,; \t\"'<>{}|^`()[]=&!$*+~\x00\x7f"), st.text(string.ascii_letters, max_size=5))
def test_what_could_end_a_host_is_none_of_it(name: str, end: str, rest: str) -> None:
    """Nothing that begins a path, a query, a user or another host passes as a part of a name."""
    assert refusal(headers=[(b"host", (name + end + rest).encode())]) is not None


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding", b"content-type"])
def test_what_is_decided_by_comes_once(name: bytes) -> None:
    """Two programs could each take another one of the two; twice the same is no better."""
    refused = refusal(headers=[HOST, (name, b"1"), (b"x", b"y"), (name, b"1")])
    assert refused is not None
    assert refused.message == f"The header '{name.decode()}' comes twice."


def test_other_headers_may_repeat() -> None:
    """Cookies do."""
    assert refusal(headers=[HOST, (b"cookie", b"a"), (b"cookie", b"b")]) is None


@pytest.mark.parametrize(
    ("count", "status"), [(MOST_HEADERS, None), (MOST_HEADERS + 1, 431)], ids=["as many as allowed", "one more"]
)
def test_headers_are_counted(count: int, status: int | None) -> None:
    """The last one that is allowed passes."""
    refused = refusal(headers=[HOST, *((b"x", b"y") for _ in range(count - 1))])
    assert (refused and refused.status) == status


@pytest.mark.parametrize(
    "target", [b"/", b"//v1", b"/?", b"/../x", b"http://x/", b"HTTPS://x:1/a?b", b"http://[::1]/a"]
)
def test_paths_are_targets(target: bytes) -> None:
    """By themselves, or behind a scheme and a host; which route they are is not decided here."""
    assert refusal(target) is None


@pytest.mark.parametrize(
    "target",
    [b"", b"*", b"x", b"@x", b"x:80", b"/a#b", b"http://x", b"http:///a", b"http://u@x/", b"ftp://x/", b"http:/x/"],
)
def test_other_targets_are_none(target: bytes) -> None:
    """What names no path here is refused."""
    assert refusal(target) is not None


@pytest.mark.parametrize("version", ["0.9", "2.0", "1.2"])
def test_other_versions_are_refused(version: str) -> None:
    """Only 1.1 and 1.0 are spoken."""
    assert refusal(version=version) is not None


def test_chunks_are_for_http_1_1() -> None:
    """No other encoding, and none before 1.1."""
    chunked = [HOST, (b"transfer-encoding", b"Chunked")]
    assert refusal(headers=chunked) is None
    assert refusal(headers=chunked, version="1.0") is not None
    assert refusal(headers=[HOST, (b"transfer-encoding", b"gzip, chunked")]) is not None


def test_headers_are_ascii() -> None:
    """The one that is not is named."""
    check_ascii([HOST, (b"x", b"\t ~")])
    with pytest.raises(HeadRefused, match="'y'"):
        check_ascii([HOST, (b"y", b"\xe9")])


def test_the_refusals_of_time_and_size_say_how_much_is_allowed() -> None:
    """Each with its status and its code."""
    assert (too_large(1024).status, too_large(1024).code) == (431, "headers_too_large")
    assert "1024 bytes" in too_large(1024).message
    assert (too_slow(0.5).status, too_slow(0.5).code) == (408, "request_timeout")
    assert "0.5 seconds" in too_slow(0.5).message


def test_a_refusal_is_a_whole_reply_and_the_last_one() -> None:
    """Its error has OpenAI's shape; its length is told, and that the connection closes."""
    head, _, body = too_large(1024).reply().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"content-length: %d\r\nconnection: close" % len(body) in head
    assert codec.loads(body)["error"]["code"] == "headers_too_large"


@pytest.mark.parametrize("cut", range(len(b"\r\nUpgrade: h2c\r\n")))
def test_an_offer_is_hidden_from_the_parser_wherever_a_read_ends(cut: int) -> None:
    """Also when only its name was read before; the body is left alone."""
    head, body = b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", b"\nupgrade: no head"
    at = len(b"GET / HTTP/1.1") + cut
    first, second = head[:at], head[at:] + body
    read, is_ascii = without_offer(first, before=b"")
    rest, is_rest_ascii = without_offer(second, before=first[-MOST_KEPT_BYTES:])
    assert (is_ascii, is_rest_ascii) == (True, True)
    assert (read + rest).endswith(body)
    assert b"\nupgrade:" not in (read + rest).removesuffix(body).lower()


def test_what_a_parser_does_not_tell_is_seen_before_it() -> None:
    """A head with other characters than those of ASCII; those of a body do not matter."""
    assert without_offer(b"x: \xe9\r\n\r\n", before=b"") == (b"x: \xe9\r\n\r\n", False)
    assert without_offer(b"x: e\r\n\r\n\xe9", before=b"") == (b"x: e\r\n\r\n\xe9", True)
    assert size_of(b"/", [HOST]) == 1 + len(b"host") + len(HOST[1]) + 4
