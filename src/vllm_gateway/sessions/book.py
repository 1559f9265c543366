"""The sessions as their owners see them: begun, listed, changed, read and ended."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Sequence

from vllm_gateway import codec
from vllm_gateway.clock import Clock
from vllm_gateway.errors import SessionUnknown, StoreFailed
from vllm_gateway.sessions.model import Changes, Message, Session, Turn
from vllm_gateway.sessions.owners import UNKNOWN, may_use
from vllm_gateway.sessions.store import Store
from vllm_gateway.tasks import Tasks

log = logging.getLogger(__name__)

PAGE_BYTES = 4 * 1024 * 1024
"""A page of messages ends with the one that makes it so large."""
_READ_AT_ONCE = 32
_FILLING_S = 30.0
SWEEP_S = 60.0
"""How often what has expired is deleted; it is out of reach before that already."""


class Book:
    """All sessions. Whoever asks for one that is not its own is told what it would be told of none."""

    def __init__(self, store: Store, *, ttl_s: float, clock: Clock) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._clock = clock
        self._tasks = Tasks("sessions")

    def open(self) -> None:
        """Begin to delete what has expired."""
        self._tasks.start(self._keep_sweeping(), name="sweep")

    async def close(self) -> None:
        """Delete no more."""
        await self._tasks.close()

    async def begin(
        self,
        owner: str,
        *,
        model: str | None = None,
        title: str | None = None,
        system_prompt: str | None = None,
        messages: Sequence[Message] = (),
    ) -> Session:
        """Begin a session, with what was said elsewhere if it goes on from there; its id cannot be guessed."""
        now = self._clock.wall()
        turns = sum(message.fields.get("role") == "user" for message in messages)
        session = Session(
            id=f"sess_{secrets.token_hex(16)}",
            owner=owner,
            created=now,
            used=now,
            ttl_s=self._ttl_s,
            model=model,
            title=title,
            system_prompt=system_prompt,
            turns=max(0, turns - 1),  # writing the messages counts as one
        )
        await self._store.create(session)
        return await self._filled(session, messages) if messages else session

    async def _filled(self, session: Session, messages: Sequence[Message]) -> Session:
        """Write what was said elsewhere into a new session; when that fails, there is no session."""
        said = Turn(tuple(messages), first_kept=0, prompt_tokens=0, output_tokens=0, replica=None, at=session.created)
        filled = None
        try:
            await self._store.begin(session.id, session.id, session.created, lease_s=_FILLING_S)
            filled = await self._store.finish(session.id, session.id, said)
        finally:
            if filled is None:
                await self._store.delete(session.id, session.created)
        if filled is None:
            raise StoreFailed("The conversation could not be written. Try again in a moment.")
        return filled

    async def find(self, session_id: str, owner: str, *, is_bearer: bool = False) -> Session:
        """Return a session that `owner` may use.

        Raises:
            SessionUnknown: there is none.
        """
        session = await self._store.find(session_id, self._clock.wall())
        if session is None or not may_use(session, caller=owner, is_bearer=is_bearer):
            raise SessionUnknown(UNKNOWN, param="session_id")
        return session

    async def page(self, owner: str, *, limit: int, after: str | None) -> tuple[list[Session], bool]:
        """Return up to `limit` sessions of `owner`, the youngest first, and whether more follow.

        Raises:
            SessionUnknown: `after` is none of them (any more), so nobody knows what follows it.
        """
        if after is not None:
            await self.find(after, owner)
        found = await self._store.page(owner, self._clock.wall(), limit=limit + 1, after=after)
        return found[:limit], len(found) > limit

    async def change(
        self, session_id: str, owner: str, changes: dict[str, str | None], *, is_bearer: bool = False
    ) -> Session:
        """Change `model`, `title` or `system_prompt`; return the session as it is now.

        Raises:
            SessionUnknown: there is none.
        """
        await self.find(session_id, owner, is_bearer=is_bearer)
        session = await self._store.change(session_id, self._clock.wall(), Changes(changes))
        if session is None:
            raise SessionUnknown(UNKNOWN, param="session_id")
        return session

    async def end(self, session_id: str, owner: str, *, is_bearer: bool = False) -> None:
        """Delete a session with all that was said.

        Raises:
            SessionUnknown: there is none.
        """
        await self.find(session_id, owner, is_bearer=is_bearer)
        if not await self._store.delete(session_id, self._clock.wall()):
            raise SessionUnknown(UNKNOWN, param="session_id")

    async def messages(self, session_id: str, owner: str, *, start: int, limit: int) -> tuple[Session, list[Message]]:
        """Return a session and up to `limit` of its messages from place `start` on; fewer when they are large.

        Raises:
            SessionUnknown: there is none.
        """
        session = await self.find(session_id, owner)
        return session, await self._some(session, start, limit)

    async def all_messages(self, session: Session) -> AsyncIterator[list[Message]]:
        """Give all messages of a session, the oldest first, a few at a time.

        Raises:
            SessionUnknown: it was ended meanwhile.
        """
        at = 0
        while at < session.messages:
            found = await self._some(session, at, session.messages - at)
            if not found:
                raise SessionUnknown(UNKNOWN, param="session_id")
            yield found
            at += len(found)

    def expires_in(self, session: Session) -> float | None:
        """Return the seconds that a session has left; None when it lives for ever."""
        return session.expires_in(self._clock.wall())

    async def _some(self, session: Session, start: int, limit: int) -> list[Message]:
        """Return messages until there are enough of them, or they are large together."""
        found: list[Message] = []
        end = min(start + limit, session.messages)
        size_bytes = 0
        while start + len(found) < end and size_bytes < PAGE_BYTES:
            wanted = min(_READ_AT_ONCE, end - start - len(found))
            more = await self._store.messages(session.id, start=start + len(found), limit=wanted)
            if not more:
                break
            for message in more:
                found.append(message)
                size_bytes += len(codec.dumps(message.fields))
                if size_bytes >= PAGE_BYTES:
                    break
        return found

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._store.sweep(self._clock.wall())
            except StoreFailed:
                log.warning("expired sessions could not be deleted; the next try is in %g s", SWEEP_S)
