"""What the head of a request must be, beyond what the parser asks for: nothing in it may be read in two ways."""

import ipaddress
import re
from functools import lru_cache
from http import HTTPStatus

from vllm_gateway import codec
from vllm_gateway.exchange import Headers

MOST_HEADERS = 256
MOST_KEPT_BYTES = len(b"\nupgrade")
"""So much of the end of a read must be known with the next one: an offer may lie across the two."""
_UPGRADE = re.compile(rb"\nupgrade[ \t]*:", re.IGNORECASE)
_VERSIONS = ("1.1", "1.0")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[([0-9A-Fa-f:.]{2,45})\])(?::[0-9]{1,5})?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)/[^#]*")
_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type"})
"""What is decided by must not be there twice."""


class HeadRefused(Exception):
    """A head that is not answered; the connection it came on is closed."""

    def __init__(
        self, message: str, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST, code: str = "invalid_http"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code

    def reply(self) -> bytes:
        """Return the whole reply. The dialect of what never became a request is not known; OpenAI's is most common."""
        error = {"message": self.message, "type": "invalid_request_error", "param": None, "code": self.code}
        body = codec.dumps({"error": error})
        head = f"HTTP/1.1 {self.status:d} {self.status.phrase}\r\ncontent-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body


def too_large(max_head_bytes: int) -> HeadRefused:
    """Return the refusal of a head that is over its limit."""
    message = f"The head of the request is larger than the {max_head_bytes} bytes that are allowed."
    return HeadRefused(message, status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, code="headers_too_large")


def too_slow(within_s: float) -> HeadRefused:
    """Return the refusal of a head that did not come to its end in time."""
    message = f"The head of the request did not come within the {within_s:g} seconds that are allowed."
    return HeadRefused(message, status=HTTPStatus.REQUEST_TIMEOUT, code="request_timeout")


def without_offer(data: bytes, *, before: bytes) -> tuple[bytes, bool]:
    """Return a read that begins in a head without offers of another protocol; and whether all of its head is ASCII.

    Java's client offers HTTP/2 with every first request. We may ignore that (RFC 9110, 7.8), but the parser would take
    the body for another protocol's. The body itself stays as it is: its length was told.
    """
    text = before + data
    end = text.find(b"\r\n\r\n")
    head = text[:end] if end >= 0 else text
    if b"\nupgrade" in head.lower():
        data = (_UPGRADE.sub(b"\nx-upgrade:", head) + text[len(head) :])[len(before) :]
    return data, head.isascii()


def size_of(target: bytes, headers: Headers) -> int:
    """Return how long a head is, in bytes, as far as the parser tells."""
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers)


def check_head(target: bytes, version: str, headers: Headers) -> None:
    """Return when a head says one thing only.

    Raises:
        HeadRefused: it does not, or it has more headers than anybody needs.
    """
    if len(headers) > MOST_HEADERS:
        message = f"The request has more than the {MOST_HEADERS} headers that are allowed."
        raise HeadRefused(message, status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, code="headers_too_large")
    if version not in _VERSIONS:
        raise HeadRefused("Speak HTTP/1.1 or HTTP/1.0.")
    found = dict(headers)
    if len(found) < len(headers):
        _check_repeated(headers)
    host = found.get(b"host")
    if host is None and version == "1.1":
        raise HeadRefused("A request of HTTP/1.1 needs a 'Host' header.")
    if host is not None and not _is_host(host):
        raise HeadRefused("The 'Host' header is no host name or address with an optional port.")
    if not target.startswith(b"/") or b"#" in target:
        _check_target(target)
    coding = found.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or version == "1.0"):
        raise HeadRefused("The only transfer encoding that is understood is 'chunked', in HTTP/1.1.")


def check_ascii(headers: Headers) -> None:
    """Return when headers are written in ASCII: beyond it, two programs read two different texts.

    Raises:
        HeadRefused: one is not.
    """
    for name, value in headers:
        if not value.isascii():
            raise HeadRefused(f"The header '{name.decode()}' holds characters that are not ASCII.")


def _check_repeated(headers: Headers) -> None:
    """Check that what comes several times is not what is decided by."""
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in _SINGLE and name in seen:
            raise HeadRefused(f"The header '{name.decode()}' comes twice.")
        seen.add(name)


@lru_cache(maxsize=256)
def _is_host(host: bytes) -> bool:
    """Say whether it is one. It decides nothing here, but a proxy on the way may go by it."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    if match[1] is None:
        return True
    try:
        ipaddress.IPv6Address(match[1].decode())
    except ValueError:
        return False
    return True


def _check_target(target: bytes) -> None:
    """Check that what is no path by itself has one behind the scheme and the host that proxies are told."""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not _is_host(absolute[1]):
        raise HeadRefused("A request must name a path that begins with '/'.")
