"""Conversations in SQLite or PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, Table, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from vllm_gateway.sessions.model import Begun, Changes, KeptResponse, Message, Session, Turn
from vllm_gateway.sessions.store import Permit, SessionTaken, StoreFailed
from vllm_gateway.sessions.stores.outage import Outage
from vllm_gateway.sessions.stores.sql_tables import (
    MESSAGE,
    RESPONSE,
    SESSION,
    VERSION,
    messages,
    metadata,
    response_of,
    responses,
    schema,
    sessions,
)
from vllm_gateway.state.sql import Database

LIMIT_S = 10.0
"""How long a caller waits for an operation, locks included."""
_SWEPT_AT_ONCE = 500
_FREE = {"holder": None, "lease_until": 0.0}

P = ParamSpec("P")
T = TypeVar("T")


def whole(
    operation: Callable[Concatenate["SqlStore", P], Awaitable[T]],
) -> Callable[Concatenate["SqlStore", P], Coroutine[Any, Any, T]]:
    """Have an operation run to its end, and its faults told as those of a store."""

    @wraps(operation)
    async def run(store: "SqlStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store._outage.run(operation(store, *args, **kwargs))  # noqa: SLF001 - of its own class

    return run


class SqlStore:
    """Keeps everything in three tables of a database, which is opened by the first operation."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._outage = Outage(database.name, database.faults, limit_s=LIMIT_S)
        self._opening = asyncio.Lock()
        self._is_open = False

    @property
    def is_away(self) -> bool:
        """The last operation failed."""
        return self._outage.is_on

    @property
    def faults(self) -> int:
        """How many operations have failed."""
        return self._outage.faults

    @whole
    async def create(self, session: Session) -> None:
        """Keep a new session; its id is unused."""
        async with self._writing() as connection:
            await connection.execute(insert(sessions).values(asdict(session)))

    @whole
    async def find(self, session_id: str, now: float) -> Session | None:
        """Return a session, or None when there is none."""
        async with self._reading() as connection:
            return await _find(connection, sessions.c.id == session_id, _is_there(now))

    @whole
    async def page(self, owner: str, now: float, *, limit: int, after: str | None = None) -> list[Session]:
        """Return up to `limit` sessions of an owner, the youngest first, those that follow `after`."""
        wanted = and_(sessions.c.owner == owner, _is_there(now))
        async with self._reading() as connection:
            if after is not None:
                last = await _find(connection, sessions.c.id == after, wanted)
                if last is None:
                    return []
                of_its_instant = and_(sessions.c.created == last.created, sessions.c.id > last.id)
                wanted = and_(wanted, or_(sessions.c.created < last.created, of_its_instant))
            rows = await connection.execute(
                select(*SESSION).where(wanted).order_by(sessions.c.created.desc(), sessions.c.id).limit(limit)
            )
            return [Session(*row) for row in rows]

    @whole
    async def change(self, session_id: str, now: float, changes: Changes) -> Session | None:
        """Change a session and count that as a use of it."""
        async with self._writing() as connection:
            return await _update(
                connection, sessions.c.id == session_id, _is_there(now), values={**changes.values, "used": now}
            )

    @whole
    async def delete(self, session_id: str, now: float) -> bool:
        """Delete a session with its messages; say whether there was one."""
        async with self._writing() as connection:
            deleted = await connection.execute(delete(sessions).where(sessions.c.id == session_id, _is_there(now)))
            return deleted.rowcount > 0

    @whole
    async def messages(self, session_id: str, *, start: int, limit: int) -> list[Message]:
        """Return up to `limit` messages from place `start` on, the oldest first."""
        async with self._reading() as connection:
            return await _messages(connection, session_id, messages.c.place >= start, messages.c.place < start + limit)

    @whole
    async def begin(self, session_id: str, holder: str, now: float, *, lease_s: float) -> Begun | None:
        """Begin a turn, unless another one is under way."""
        is_it = sessions.c.id == session_id
        lease = {"holder": holder, "lease_until": now + lease_s}
        async with self._writing() as connection:
            session = await _update(connection, is_it, _is_there(now), sessions.c.lease_until <= now, values=lease)
            if session is not None:
                window = await _messages(connection, session_id, messages.c.place >= session.first_kept)
                return Begun(session, tuple(window))
            if await _find(connection, is_it, _is_there(now)) is None:
                return None
        raise SessionTaken

    @whole
    async def renew(self, session_id: str, holder: str, now: float, *, lease_s: float) -> bool:
        """Prolong a lease; say whether the holder still has it."""
        async with self._writing() as connection:
            renewed = await connection.execute(
                update(sessions).where(_is_held(session_id, holder, now)).values(lease_until=now + lease_s)
            )
            return renewed.rowcount > 0

    async def finish(self, session_id: str, holder: str, turn: Turn, permit: Permit | None = None) -> Session | None:
        """Append a turn and give up the lease; None when the holder has none (any more)."""
        return await self._outage.run(self._append(session_id, holder, turn, permit), permit)

    async def _append(self, session_id: str, holder: str, turn: Turn, permit: Permit | None) -> Session | None:
        values = {
            "used": turn.at,
            "turns": sessions.c.turns + 1,
            "input_tokens": sessions.c.input_tokens + turn.prompt_tokens,
            "output_tokens": sessions.c.output_tokens + turn.output_tokens,
            "prompt_tokens": turn.prompt_tokens,
            "messages": sessions.c.messages + len(turn.messages),
            "first_kept": turn.first_kept,
            "replica": turn.replica,
            **_FREE,
        }
        async with self._writing() as connection:
            session = await _update(connection, _is_held(session_id, holder, turn.at), values=values)
            if session is not None and turn.messages:
                first = session.messages - len(turn.messages)
                await connection.execute(
                    insert(messages),
                    [
                        {"session_id": session_id, "place": place, "fields": message.fields, "tokens": message.tokens}
                        for place, message in enumerate(turn.messages, start=first)
                    ],
                )
            if permit is not None and not permit.use():
                await connection.rollback()
                return None
            return session

    @whole
    async def abandon(self, session_id: str, holder: str) -> None:
        """Give up the lease; nothing else changes."""
        is_holder = and_(sessions.c.id == session_id, sessions.c.holder == holder)
        async with self._writing() as connection:
            await connection.execute(update(sessions).where(is_holder).values(_FREE))

    @whole
    async def keep(self, response: KeptResponse) -> None:
        """Keep a response; its id is unused."""
        async with self._writing() as connection:
            values = {column.name: getattr(response, column.name) for column in RESPONSE}
            await connection.execute(insert(responses).values(values))

    @whole
    async def kept(self, ids: Sequence[str], now: float) -> list[KeptResponse]:
        """Return those responses that are there, in the order of `ids`."""
        found: dict[str, KeptResponse] = {}
        is_kept = or_(responses.c.expires == 0, responses.c.expires > now)
        async with self._reading() as connection:
            for first in range(0, len(ids), _SWEPT_AT_ONCE):
                some = ids[first : first + _SWEPT_AT_ONCE]
                rows = await connection.execute(select(*RESPONSE).where(responses.c.id.in_(some), is_kept))
                found.update((row.id, response_of(row)) for row in rows)
        return [found[each] for each in ids if each in found]

    @whole
    async def forget(self, response_id: str) -> bool:
        """Delete a response; say whether there was one."""
        async with self._writing() as connection:
            forgotten = await connection.execute(delete(responses).where(responses.c.id == response_id))
            return forgotten.rowcount > 0

    async def sweep(self, now: float) -> int:
        """Delete what has expired, some at a time so that nobody is held up; return how many sessions that were."""
        ends = sessions.c.used + sessions.c.ttl_s
        is_over = and_(sessions.c.ttl_s > 0, ends <= now, sessions.c.lease_until <= now)
        is_old = and_(responses.c.expires > 0, responses.c.expires <= now)
        await self._delete_all(responses, is_old)
        return await self._delete_all(sessions, is_over)

    async def close(self) -> None:
        """Let go of connections and files."""
        await self._outage.close()
        await self._database.writer.dispose()

    async def _delete_all(self, table: Table, which: ColumnElement[bool]) -> int:
        deleted = 0
        while True:
            some = await self._delete_some(table, which)
            deleted += some
            if some < _SWEPT_AT_ONCE:
                return deleted

    @whole
    async def _delete_some(self, table: Table, which: ColumnElement[bool]) -> int:
        some = select(table.c.id).where(which).limit(_SWEPT_AT_ONCE).with_for_update(skip_locked=True)
        async with self._writing() as connection:
            return (await connection.execute(delete(table).where(table.c.id.in_(some)))).rowcount

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction that is committed at the end, and rolled back by anything that is raised."""
        await self._open()
        async with self._database.turn_to_write, self._database.writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        await self._open()
        async with self._database.reader.connect() as connection:
            yield connection

    async def _open(self) -> None:
        """Make what is missing, once; what failed is tried again by the next operation."""
        if self._is_open:
            return
        async with self._opening:
            if not self._is_open:
                await asyncio.to_thread(self._database.prepare)
                async with self._database.turn_to_write, self._database.writer.begin() as connection:
                    await self._make_tables(connection)
                self._is_open = True

    async def _make_tables(self, connection: AsyncConnection) -> None:
        if self._database.turn_to_make is not None:
            await connection.execute(self._database.turn_to_make)
        await connection.run_sync(metadata.create_all)
        version = await connection.scalar(select(func.max(schema.c.version)))
        if version is None:
            await connection.execute(insert(schema).values(version=VERSION))
        elif version > VERSION:
            raise StoreFailed(
                "Conversations are kept here by a newer version of vllm-gateway. Run that one, or choose another place."
            )


def _is_there(now: float) -> ColumnElement[bool]:
    """Say of a session that it has not expired; one with a turn under way does not expire."""
    ends = sessions.c.used + sessions.c.ttl_s
    return or_(sessions.c.ttl_s == 0, ends > now, sessions.c.lease_until > now)


def _is_held(session_id: str, holder: str, now: float) -> ColumnElement[bool]:
    return and_(sessions.c.id == session_id, sessions.c.holder == holder, _is_there(now))


async def _find(connection: AsyncConnection, *wanted: ColumnElement[bool]) -> Session | None:
    row = (await connection.execute(select(*SESSION).where(*wanted))).first()
    return None if row is None else Session(*row)


async def _update(
    connection: AsyncConnection, *wanted: ColumnElement[bool], values: Mapping[str, object]
) -> Session | None:
    row = (await connection.execute(update(sessions).where(*wanted).values(values).returning(*SESSION))).first()
    return None if row is None else Session(*row)


async def _messages(connection: AsyncConnection, session_id: str, *wanted: ColumnElement[bool]) -> list[Message]:
    rows = await connection.execute(
        select(*MESSAGE).where(messages.c.session_id == session_id, *wanted).order_by(messages.c.place)
    )
    return [Message(*row) for row in rows]
