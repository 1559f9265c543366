"""A store with what is the same for all that it keeps: for how long, and up to which size."""

from collections.abc import Sequence
from dataclasses import replace

from vllm_gateway.cache.claims import Claims
from vllm_gateway.cache.kept import Kept, decode, encode
from vllm_gateway.cache.store import Store


class Shelf:
    """Answers of one kind."""

    def __init__(self, store: Store, *, ttl_s: float, max_answer_bytes: int, claims: Claims | None = None) -> None:
        self.claims = claims
        """Where other processes could be answering the same request: which of them does."""
        self.max_answer_bytes = max_answer_bytes
        """Larger answers are not kept."""
        self._store = store
        self._ttl_s = ttl_s

    @property
    def is_away(self) -> bool:
        """Nothing can be found or kept for now."""
        return self._store.is_away

    async def find(self, key: bytes) -> Kept | None:
        """Return the answer that is kept under a key."""
        return (await self.find_all([key]))[0]

    async def find_all(self, keys: Sequence[bytes]) -> list[Kept | None]:
        """Return what is kept under each key."""
        return [None if text is None else decode(text) for text in await self._store.find(keys)]

    async def keep(self, key: bytes, kept: Kept, fingerprint: bytes = b"") -> None:
        """Keep an answer, unless it is too large."""
        if len(kept.body) <= self.max_answer_bytes:
            await self._store.keep([(key, encode(replace(kept, fingerprint=fingerprint)))], self._ttl_s)

    async def keep_all(self, entries: Sequence[tuple[bytes, Kept]]) -> None:
        """Keep several answers at once."""
        small = [(key, encode(kept)) for key, kept in entries if len(kept.body) <= self.max_answer_bytes]
        if small:
            await self._store.keep(small, self._ttl_s)

    async def close(self) -> None:
        """Let go of the store."""
        if self.claims is not None:
            await self.claims.close()
        await self._store.close()
