"""The keys of a store, held ready by their digests and looked after: what is revoked there is refused here soon."""

import asyncio
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from vllm_gateway.admission.keys.record import KeyRecord
from vllm_gateway.admission.keys.store import KeyStore, StoreUnusable
from vllm_gateway.callers import Caller
from vllm_gateway.clock import Clock
from vllm_gateway.errors import KeysUnchecked
from vllm_gateway.tasks import Tasks

REFRESH_S = 2.0
"""How often the store is looked at: a revoked key is refused within 5 s, a slow store included."""
MAX_STALE_S = 60.0
"""For so long the keys go on to hold while the store cannot be read."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: bytes
    caller: Caller
    expires: float | None


class KeptKeys:
    """What a store says, as of a moment ago."""

    def __init__(self, store: KeyStore, clock: Clock, *, refresh_s: float = REFRESH_S) -> None:
        self._store = store
        self._clock = clock
        self._refresh_s = refresh_s
        self._entries: dict[bytes, _Entry] = {}
        self.names: Mapping[str, str] = {}
        """What the valid keys are called, by the ids of their callers."""
        self.faults = 0
        """How often the store could not be read."""
        self._read_at: float | None = None
        """When the store was last seen to say just this; None: never."""
        self._is_out = False
        self._turn = asyncio.Lock()
        self._tasks = Tasks("keys")

    def __len__(self) -> int:
        return len(self._entries)

    async def open(self) -> None:
        """Read the store, and go on looking at it."""
        await self.refresh()
        self._tasks.start(self._look_after(), name="refresh")

    async def close(self) -> None:
        """Look no longer."""
        await self._tasks.close()

    def find(self, digest: bytes) -> Caller | None:
        """Return who has the key with this digest, or None. It takes no longer when there are more keys.

        Raises:
            KeysUnchecked: the store has not been read for too long to say either.
        """
        if self._read_at is None or self._clock.now() - self._read_at > MAX_STALE_S:
            raise KeysUnchecked(
                "API keys cannot be checked right now. Try again in a moment.", retry_after_s=self._refresh_s
            )
        entry = self._entries.get(digest)
        if entry is None or not hmac.compare_digest(entry.digest, digest):
            return None
        return entry.caller if entry.expires is None or self._clock.wall() < entry.expires else None

    async def refresh(self) -> None:
        """Read the store now. When it cannot be read, the log tells so, once, and what was read before goes on."""
        async with self._turn:
            await self._read(is_forced=True)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                async with self._turn:
                    await self._read(is_forced=self._read_at is None)
            except Exception:  # a store's defect must not end the looking: soon nobody could come in any more
                log.exception("the client keys could not be looked at")

    async def _read(self, *, is_forced: bool) -> None:
        began = self._clock.now()
        try:
            if is_forced or await self._store.has_changed():
                self._take(await self._store.load())
        except StoreUnusable as fault:
            self.faults += 1
            if not self._is_out:
                self._is_out = True
                log.error("the client keys cannot be read: %s", fault)  # noqa: TRY400 - the sentence says it all
            return
        self._read_at = began
        self._drop_expired()
        if self._is_out:
            self._is_out = False
            log.warning("the client keys can be read again")

    def _take(self, records: list[KeyRecord]) -> None:
        """Hold the valid keys only: one that is revoked or expired is looked up in vain, as one that never was."""
        wall = self._clock.wall()
        valid = [record for record in records if record.is_valid(wall)]
        entries = (_Entry(bytes.fromhex(record.digest), record.caller(), record.expires) for record in valid)
        self._entries = {entry.digest: entry for entry in entries}
        self.names = {record.caller().id: record.name for record in valid}

    def _drop_expired(self) -> None:
        wall = self._clock.wall()
        over = [
            digest for digest, entry in self._entries.items() if entry.expires is not None and entry.expires <= wall
        ]
        for digest in over:
            del self._entries[digest]
