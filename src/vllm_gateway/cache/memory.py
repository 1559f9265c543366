"""Answers in this process's memory, as many as fit."""

from collections import OrderedDict
from collections.abc import Sequence

from vllm_gateway.clock import Clock

_ENTRY_BYTES = 400
"""What an entry takes beside its text: its key, its place in the table, its time."""


class MemoryStore:
    """Keeps texts up to a number of bytes; what was not asked for for the longest time goes first."""

    is_away = False

    def __init__(self, clock: Clock, *, max_bytes: int) -> None:
        self.size_bytes = 0
        """What is taken, the tables included."""
        self._clock = clock
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._claims: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        """Those that end first come first, because all are made for the same time."""

    def __len__(self) -> int:
        return len(self._entries)

    async def find(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what is kept under each key and not too old."""
        now = self._clock.now()
        return [self._find(key, now) for key in keys]

    async def keep(self, entries: Sequence[tuple[bytes, bytes]], ttl_s: float) -> None:
        """Keep each text; one that is larger than all there is room for is not kept."""
        until = self._clock.now() + ttl_s
        for key, text in entries:
            self._drop(key)
            size = len(text) + _ENTRY_BYTES
            if size <= self._max_bytes:
                self._entries[key] = (text, until)
                self.size_bytes += size
        while self.size_bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    async def claim(self, key: bytes, claim: bytes, ttl_s: float) -> bytes:
        """Put a claim to a key for so long, or for so long again; return the claim that there is now."""
        now = self._clock.now()
        while self._claims and next(iter(self._claims.values()))[1] <= now:
            self._claims.popitem(last=False)
        holder, _ = self._claims.get(key, (claim, 0.0))
        if holder == claim:
            self._claims[key] = (claim, now + ttl_s)
            self._claims.move_to_end(key)
        return holder

    async def release(self, key: bytes, claim: bytes) -> None:
        """Take a claim back, if it is still there."""
        if self._claims.get(key, (b"", 0.0))[0] == claim:
            del self._claims[key]

    async def close(self) -> None:
        """Forget everything."""
        self._claims.clear()
        self._entries.clear()
        self.size_bytes = 0

    def _find(self, key: bytes, now: float) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        text, until = entry
        if now >= until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return text

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size_bytes -= len(entry[0]) + _ENTRY_BYTES
