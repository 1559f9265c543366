"""The keys that a request carries, and what is told to who carries none or a wrong one."""

from collections.abc import Sequence

from vllm_gateway.admission.keys.secret import digest
from vllm_gateway.errors import KeyRefused
from vllm_gateway.exchange import Head, Headers

MAX_KEY_BYTES = 4096
"""Longer than any key that there is; what is longer is refused unread."""

_PLAIN_HEADERS = frozenset({b"x-api-key", b"api-key"})
_AUTHORIZATION = b"authorization"
_HEADERS = _PLAIN_HEADERS | {_AUTHORIZATION}
_SPACE = b" \t"


def no_key() -> KeyRefused:
    """Return the refusal of a request without a key."""
    return KeyRefused(
        "No usable API key was sent. Send yours once, as 'Authorization: Bearer KEY' or in the header 'X-API-Key'."
    )


def wrong_key() -> KeyRefused:
    """Return the refusal of every wrong key, mistyped, revoked, expired or invented: nobody can tell them apart."""
    return KeyRefused("The API key is not one that is known here. Check it, or ask whoever runs this gateway for one.")


def keys_in(headers: Headers) -> list[bytes]:
    """Return the keys that were sent. A header that comes twice is no key: two readers could choose differently."""
    keys: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _HEADERS:
            keys[name] = b"" if name in keys else _key_in(name, value)
    return [key for key in keys.values() if key]


def digested(key: bytes) -> tuple[bytes, bytes]:
    """Return a key with its digest; one that is too long has none."""
    return key, digest(key) if len(key) <= MAX_KEY_BYTES else b""


def keys_of(head: Head) -> Sequence[tuple[bytes, bytes]]:
    """Return the keys that a head carries, with their digests."""
    if head.keys is None:
        head.keys = [digested(key) for key in keys_in(head.headers)]
    return head.keys


def _key_in(name: bytes, value: bytes) -> bytes:
    """Return the key that one header holds; nothing when it holds none."""
    if name in _PLAIN_HEADERS:
        return value.strip(_SPACE)
    scheme, _, key = value.strip(_SPACE).partition(b" ")
    return key.strip(_SPACE) if scheme.lower() == b"bearer" else b""
