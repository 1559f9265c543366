"""The keys that the gateway makes: recognisable, with a checksum, and known afterwards by their digests only."""

import hashlib
import secrets
import string
import zlib

PREFIX = "vgw_"
HINT_CHARACTERS = 8
"""So much of a key may be shown: it tells two keys apart, and helps nobody to guess one."""

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM = 32
_CHECKSUM = 6
_PREFIX = PREFIX.encode()
_CHARACTERS = len(PREFIX) + _RANDOM + _CHECKSUM


def mint() -> str:
    """Return a new key: nobody has it, and nobody can guess it (190 bits)."""
    text = PREFIX + "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM))
    return text + _checksum(text.encode())


def digest(key: bytes) -> bytes:
    """Return what the gateway keeps of a key: its SHA-256."""
    return hashlib.sha256(key).digest()


def hint(secret: str) -> str:
    """Return the part of a key that may be shown."""
    return f"{secret[:HINT_CHARACTERS]}…"


def is_ours(key: bytes) -> bool:
    """Say whether a key looks like one that the gateway made; it may still be mistyped."""
    return key.startswith(_PREFIX)


def has_right_checksum(key: bytes) -> bool:
    """Say whether a key can be one that the gateway made; one that is mistyped or invented cannot."""
    text, checksum = key[:-_CHECKSUM], key[-_CHECKSUM:]
    return is_ours(key) and len(key) == _CHARACTERS and _checksum(text).encode() == checksum


def _checksum(text: bytes) -> str:
    rest, digits = zlib.crc32(text), []
    for _ in range(_CHECKSUM):
        rest, digit = divmod(rest, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
