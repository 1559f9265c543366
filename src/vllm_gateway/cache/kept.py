"""An answer as it is kept."""

from dataclasses import dataclass
from zlib import crc32

from vllm_gateway import codec
from vllm_gateway.exchange import Usage

_VERSION = 1
"""Of the form below; what was kept in another one is as good as not there."""
_SUM_BYTES = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """One complete answer, or one embedding out of it."""

    body: bytes
    """What the caller got: JSON, or the events of a stream."""
    at: float
    """When it was kept, in seconds since the epoch."""
    is_stream: bool = False
    tells_usage: bool = False
    """One of its events tells the usage."""
    usage: Usage | None = None
    fingerprint: bytes = b""
    """Of the request that it answers, where a name of the caller's own choice leads to it."""

    def age_s(self, wall: float) -> int:
        """Return how old it is, in whole seconds."""
        return max(0, int(wall - self.at))


def encode(kept: Kept) -> bytes:
    """Return the one text that holds everything: a line about the answer, and the answer."""
    usage = kept.usage
    counts = None if usage is None else [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens]
    about = [_VERSION, kept.at, kept.is_stream, kept.tells_usage, counts, kept.fingerprint.hex()]
    text = codec.dumps(about) + b"\n" + kept.body
    return _sum(text) + text


def decode(text: bytes) -> Kept | None:
    """Return what `encode` was given; None when the text is in no form that is known, or was damaged."""
    if text[:_SUM_BYTES] != _sum(text[_SUM_BYTES:]):
        return None
    about, newline, body = text[_SUM_BYTES:].partition(b"\n")
    try:
        version, at, is_stream, tells_usage, counts, fingerprint = codec.loads(about)
        if not newline or version != _VERSION:
            return None
        usage = None if counts is None else Usage(*counts)
        return Kept(body, float(at), bool(is_stream), bool(tells_usage), usage, bytes.fromhex(fingerprint))
    except (TypeError, ValueError):
        return None


def _sum(text: bytes) -> bytes:
    return b"%08x" % crc32(text)
