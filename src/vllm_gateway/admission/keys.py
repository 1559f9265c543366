"""Who may come in: the keys that clients send, known here by their digests only."""

import hashlib
import hmac

from vllm_gateway.errors import KeyRefused
from vllm_gateway.exchange import ANONYMOUS, Caller, Headers
from vllm_gateway.settings.model import Auth

MAX_KEY_BYTES = 4096
"""Longer than any key that there is; what is longer is refused unread."""

_PLAIN_HEADERS = frozenset({b"x-api-key", b"api-key"})
_AUTHORIZATION = b"authorization"
_HEADERS = _PLAIN_HEADERS | {_AUTHORIZATION}
_SPACE = b" \t"

_NO_KEY = "No usable API key was sent. Send yours once, as 'Authorization: Bearer KEY' or in the header 'X-API-Key'."
_WRONG_KEY = "The API key is not one that is known here. Check it, or ask whoever runs this gateway for one."


class Keys:
    """The client keys of the settings, and whom each of them belongs to."""

    def __init__(self, auth: Auth) -> None:
        self.are_asked_for = auth.mode != "none"
        """Callers need a key. A mode that is not known here asks for one too, and then nobody has it."""
        keys = auth.client_keys if self.are_asked_for else ()
        digests = [_digest(key.get_secret_value().encode()) for key in keys]
        self._callers = [(digest, Caller(f"key-{digest.hex()[:16]}")) for digest in digests]

    def admit(self, headers: Headers) -> Caller:
        """Return who sent these headers; any one right key among them will do.

        Raises:
            KeyRefused: there is no key in them, or no right one.
        """
        if not self.are_asked_for:
            return ANONYMOUS
        sent = _keys_in(headers)
        if not sent:
            raise KeyRefused(_NO_KEY)
        for key in sent:
            caller = self._owner(key)
            if caller is not None:
                return caller
        raise KeyRefused(_WRONG_KEY)

    def is_known(self, key: str) -> bool:
        """Say whether this is a client key; where none are asked for, none is known."""
        return self._owner(key.encode("utf-8", "surrogatepass")) is not None

    def _owner(self, key: bytes) -> Caller | None:
        """Return whose key it is. All keys are compared, so that the time taken tells nothing of any."""
        if len(key) > MAX_KEY_BYTES:
            return None
        sent = _digest(key)
        owner = None
        for digest, caller in self._callers:
            if hmac.compare_digest(digest, sent):
                owner = caller
        return owner


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _keys_in(headers: Headers) -> list[bytes]:
    """Return the keys that were sent. A header that comes twice is no key: two readers could choose differently."""
    keys: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _HEADERS:
            keys[name] = b"" if name in keys else _key_in(name, value)
    return [key for key in keys.values() if key]


def _key_in(name: bytes, value: bytes) -> bytes:
    """Return the key that one header holds; nothing when it holds none."""
    if name in _PLAIN_HEADERS:
        return value.strip(_SPACE)
    scheme, _, key = value.strip(_SPACE).partition(b" ")
    return key.strip(_SPACE) if scheme.lower() == b"bearer" else b""
