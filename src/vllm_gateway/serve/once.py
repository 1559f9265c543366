"""Answers to requests with an idempotency key, where several workers have no other place in common than each other.

Every key has a worker that keeps its answer and knows who is answering it. While that one is not there, nothing is
known of its keys; the next one at its post begins with nothing.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from vllm_gateway.cache.choose import ONCE_MAX_BYTES
from vllm_gateway.cache.memory import MemoryStore
from vllm_gateway.cache.store import SharedStore
from vllm_gateway.clock import SystemClock
from vllm_gateway.serve.peers import Order, Peers
from vllm_gateway.settings.model import Settings

_BYTES = "latin-1"
"""How bytes are written in an order: each is a letter."""


class OnceAmongPeers:
    """Finds and keeps with the worker whose key it is."""

    is_away = False

    def __init__(self, peers: Peers, own: MemoryStore, *, number: int, count: int) -> None:
        self._peers = peers
        self._own = own
        self._number = number
        self._count = count

    async def find(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what is kept under each key."""
        found = [await self._ask("find", key) for key in keys]
        return [None if text is None else text.encode(_BYTES) for text in found]

    async def keep(self, entries: Sequence[tuple[bytes, bytes]], ttl_s: float) -> None:
        """Keep each text under its key for so long."""
        for key, text in entries:
            await self._ask("keep", key, text, ttl_s)

    async def claim(self, key: bytes, claim: bytes, ttl_s: float) -> bytes:
        """Put a claim to a key for so long; return the claim that there is now."""
        holder = await self._ask("claim", key, claim, ttl_s)
        return claim if holder is None else holder.encode(_BYTES)

    async def release(self, key: bytes, claim: bytes) -> None:
        """Take a claim back, if it is still there."""
        await self._ask("release", key, claim)

    async def close(self) -> None:
        """Forget what was kept here."""
        await self._own.close()

    async def obey(self, order: Order) -> str | None:
        """Do what another worker, or this one, wants of what is kept here."""
        key, text, ttl_s = order["key"].encode(_BYTES), order["text"].encode(_BYTES), order["ttl_s"]
        match order["do"]:
            case "find":
                (found,) = await self._own.find([key])
                return None if found is None else found.decode(_BYTES)
            case "keep":
                await self._own.keep([(key, text)], ttl_s)
            case "claim":
                return (await self._own.claim(key, text, ttl_s)).decode(_BYTES)
            case "release":
                await self._own.release(key, text)
        return None

    async def _ask(self, do: str, key: bytes, text: bytes = b"", ttl_s: float = 0.0) -> Any:  # noqa: ANN401 - as `obey`
        order = {"do": do, "key": key.decode(_BYTES), "text": text.decode(_BYTES), "ttl_s": ttl_s}
        owner = key[0] % self._count
        return await (self.obey(order) if owner == self._number else self._peers.ask(owner, order))


@asynccontextmanager
async def open_once(settings: Settings, folder: Path, *, number: int, count: int) -> AsyncIterator[SharedStore | None]:
    """Open this worker's part of it; None where Redis is the place that all have in common."""
    if settings.cache.backend == "redis":
        yield None
        return
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - nothing else is to be done yet
    peers = Peers(folder, number=number, count=count)
    once = OnceAmongPeers(
        peers, MemoryStore(SystemClock(), max_bytes=ONCE_MAX_BYTES // count), number=number, count=count
    )
    async with peers.listening(once.obey):
        yield once
