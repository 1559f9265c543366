"""The admin key: the one secret that opens the admin listener."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Protocol

from vllm_gateway.admission.keys.sent import MAX_KEY_BYTES
from vllm_gateway.errors import KeyRefused


class Throttle(Protocol):
    """Counts wrong keys by the address that they came from."""

    def check(self, address: str) -> None:
        """Return when one more may come from there; raise `KeysThrottled` otherwise."""
        ...

    def count(self, address: str) -> None:
        """Take down a wrong key."""
        ...


class AdminKey:
    """Knows the right key by its digest, and counts those who try others."""

    def __init__(self, key: str, throttle: Throttle) -> None:
        self._digest = hashlib.sha256(key.encode()).digest()
        self._throttle = throttle

    def check(self, sent: Sequence[bytes], address: str, refusal: str) -> None:
        """Return when the right key is among those that were sent.

        Raises:
            KeyRefused: it is not; `refusal` is the sentence.
            KeysThrottled: it is not, and too many wrong ones came from this address.
        """
        if any(self._is_right(key) for key in sent):
            return
        if sent:
            self._throttle.check(address)
            self._throttle.count(address)
        raise KeyRefused(refusal)

    def _is_right(self, key: bytes) -> bool:
        """Compare digests, so that the time taken tells nothing of the key, not even its length."""
        return len(key) <= MAX_KEY_BYTES and hmac.compare_digest(hashlib.sha256(key).digest(), self._digest)
