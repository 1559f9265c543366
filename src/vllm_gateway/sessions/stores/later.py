"""A store that is made when it is needed first: most gateways never are asked to keep a conversation."""

import asyncio
from collections.abc import Callable, Sequence

from typing_extensions import override

from vllm_gateway.sessions.model import Begun, Changes, KeptResponse, Message, Session, Turn
from vllm_gateway.sessions.store import Permit, Store


class LaterStore(Store):
    """Stands for a store whose libraries take long to load and much memory; they are loaded beside the event loop."""

    def __init__(self, make: Callable[[], Store], *, has_content: Callable[[], bool]) -> None:
        """Make the store by `make`, which may block; where nothing `has_content` yet, nothing has to be swept."""
        self._make = make
        self._has_content = has_content
        self._store: Store | None = None
        self._making = asyncio.Lock()

    @property
    @override
    def is_away(self) -> bool:
        return self._store is not None and self._store.is_away

    @property
    @override
    def faults(self) -> int:
        return 0 if self._store is None else self._store.faults

    async def made(self) -> Store:
        """Return the store itself."""
        if self._store is None:
            async with self._making:
                if self._store is None:
                    self._store = await asyncio.to_thread(self._make)
        return self._store

    @override
    async def create(self, session: Session) -> None:
        await (await self.made()).create(session)

    @override
    async def find(self, session_id: str, now: float) -> Session | None:
        return await (await self.made()).find(session_id, now)

    @override
    async def page(self, owner: str, now: float, *, limit: int, after: str | None = None) -> list[Session]:
        return await (await self.made()).page(owner, now, limit=limit, after=after)

    @override
    async def change(self, session_id: str, now: float, changes: Changes) -> Session | None:
        return await (await self.made()).change(session_id, now, changes)

    @override
    async def delete(self, session_id: str, now: float) -> bool:
        return await (await self.made()).delete(session_id, now)

    @override
    async def messages(self, session_id: str, *, start: int, limit: int) -> list[Message]:
        return await (await self.made()).messages(session_id, start=start, limit=limit)

    @override
    async def begin(self, session_id: str, holder: str, now: float, *, lease_s: float) -> Begun | None:
        return await (await self.made()).begin(session_id, holder, now, lease_s=lease_s)

    @override
    async def renew(self, session_id: str, holder: str, now: float, *, lease_s: float) -> bool:
        return await (await self.made()).renew(session_id, holder, now, lease_s=lease_s)

    @override
    async def finish(self, session_id: str, holder: str, turn: Turn, permit: Permit | None = None) -> Session | None:
        return await (await self.made()).finish(session_id, holder, turn, permit)

    @override
    async def abandon(self, session_id: str, holder: str) -> None:
        await (await self.made()).abandon(session_id, holder)

    @override
    async def keep(self, response: KeptResponse) -> None:
        await (await self.made()).keep(response)

    @override
    async def kept(self, ids: Sequence[str], now: float) -> list[KeptResponse]:
        return await (await self.made()).kept(ids, now)

    @override
    async def forget(self, response_id: str) -> bool:
        return await (await self.made()).forget(response_id)

    @override
    async def sweep(self, now: float) -> int:
        if self._store is None and not self._has_content():
            return 0
        return await (await self.made()).sweep(now)

    @override
    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()
