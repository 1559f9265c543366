"""Who has shown the admin key on the page stays logged in for a while, by a token that says nothing of the key.

A token carries its own end and a signature. Nothing is kept of it, so each of several workers knows the tokens of all;
the signature's secret is made from the admin key, so another admin key ends them all.
"""

import hmac
import secrets

from vllm_gateway.clock import Clock

LASTS_S = 8 * 3600
"""A working day."""
MAX_TOKEN_BYTES = 256
_PURPOSE = b"vllm-gateway: sessions of the page"


class Sessions:
    """Makes tokens, and knows its own."""

    def __init__(self, admin_key: str, clock: Clock) -> None:
        self._secret = hmac.digest(admin_key.encode(), _PURPOSE, "sha256")
        self._clock = clock

    def open(self) -> str:
        """Return a token that is good from now on."""
        said = f"{int(self._clock.wall()) + LASTS_S}.{secrets.token_hex(16)}"
        return f"{said}.{self._signature(said.encode())}"

    def is_open(self, token: bytes) -> bool:
        """Say whether this is a token of ours whose time is not over."""
        said, _, signature = token.rpartition(b".")
        if len(token) > MAX_TOKEN_BYTES or not hmac.compare_digest(signature, self._signature(said).encode()):
            return False
        return self._clock.wall() < int(said.partition(b".")[0])

    def _signature(self, said: bytes) -> str:
        return hmac.digest(self._secret, said, "sha256").hex()
