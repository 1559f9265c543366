"""Which of several processes answers a request that is to be answered once: one has a claim to it, the others wait."""

import asyncio
import secrets

from vllm_gateway.cache.store import SharedStore
from vllm_gateway.errors import IdempotencyConflict
from vllm_gateway.tasks import Tasks

LEASE_S = 15.0
"""How long a claim outlives the process that had it."""
_RENEWALS = 3
"""How often a claim is renewed in that time."""
_NAME_BYTES = 16
_CLOSE_S = 1.0


class Claim:
    """One request that nobody else answers for as long as this is held."""

    def __init__(self, claims: "Claims", key: bytes, name: bytes, renewing: "asyncio.Task[None]") -> None:
        self._claims = claims
        self._key = key
        self._name = name
        self._renewing = renewing

    def release(self) -> None:
        """Let others have it."""
        self._renewing.cancel()
        self._claims.release(self._key, self._name)


class Claims:
    """The claims of one process, in a place that all processes share."""

    def __init__(self, store: SharedStore, *, lease_s: float = LEASE_S) -> None:
        self._store = store
        self._lease_s = lease_s
        self._renewals = Tasks("claims")
        self._releases = Tasks("claims that end")

    async def take(self, key: bytes, fingerprint: bytes) -> Claim | None:
        """Claim the request with this key; None while somebody else has it.

        Raises:
            IdempotencyConflict: somebody else has it, for another request.
        """
        name = secrets.token_bytes(_NAME_BYTES) + fingerprint
        holder = await self._store.claim(key, name, self._lease_s)
        if holder == name:
            return Claim(self, key, name, self._renewals.start(self._renew(key, name), name="renew"))
        if holder[_NAME_BYTES:] != fingerprint:
            raise IdempotencyConflict
        return None

    def release(self, key: bytes, name: bytes) -> None:
        """Take a claim back; nobody waits for that."""
        self._releases.start(self._store.release(key, name), name="release")

    async def close(self) -> None:
        """Renew nothing any more, and take back what is being taken back."""
        await self._renewals.close()
        await self._releases.finish(within_s=_CLOSE_S)

    async def _renew(self, key: bytes, name: bytes) -> None:
        while True:
            await asyncio.sleep(self._lease_s / _RENEWALS)
            await self._store.claim(key, name, self._lease_s)
