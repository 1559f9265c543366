"""A head that comes again: callers who keep a connection send the same one with every request, but for the length."""

from typing import NamedTuple

from vllm_gateway.exchange import Head

MOST_BYTES = 4096
"""A longer head is not kept: it would lie in memory for as long as its connection is open."""
MOST_TRIES = 4
"""So many heads of a connection are kept in vain, one after the other."""
_LENGTH = b"\r\ncontent-length: "
_MOST_DIGITS = 20
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"expect"})


class KnownHead(NamedTuple):
    """A head that the parser took, of a request whose body has the length that it says."""

    before: bytes
    """All of it up to the length."""
    behind: bytes
    """All of it from there on, with the empty line."""
    url: bytes
    head: Head
    """What it came to; the length is not among its headers, since it is another one every time."""

    def body_at(self, data: bytes) -> int:
        """Return where the body begins when `data` is this head and its whole body and nothing else; otherwise 0."""
        before, behind = self.before, self.behind
        if not data.startswith(before):
            return 0
        at = len(before)
        end = data.find(b"\r", at, at + _MOST_DIGITS)
        body_at = end + len(behind)
        is_whole = data.startswith(behind, end) and data[at:end] == b"%d" % (len(data) - body_at)
        return body_at if end > at and is_whole else 0


def known_head(data: bytes, url: bytes, head: Head, *, max_bytes: int) -> KnownHead | None:
    """Return the head of a request that the parser took, when `data` was all of that.

    No request of a known head is over `max_bytes`. Bytes that are the same come to the same, whoever reads them; so all
    that the parser and we have checked once holds again, but for the length, which is read here and nowhere else.
    """
    end = data.find(b"\r\n\r\n", 0, min(max_bytes - _MOST_DIGITS, MOST_BYTES))
    text = data[: end + len(b"\r\n\r\n")]
    at = text.lower().find(_LENGTH) + len(_LENGTH)
    headers = [each for each in head.headers if each[0] not in _FRAMING]
    if end < 0 or at < len(_LENGTH) or len(headers) != len(head.headers) - 1:
        return None
    known = KnownHead(text[:at], text[text.find(b"\r", at) :], url, Head(headers, head.query))
    return known if known.body_at(data) else None
