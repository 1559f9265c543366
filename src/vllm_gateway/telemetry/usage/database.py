"""The ledger's table in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from vllm_gateway.state.sql import Database, postgres_database
from vllm_gateway.telemetry.usage.question import Question, Total
from vllm_gateway.telemetry.usage.rows import row_of
from vllm_gateway.telemetry.usage.statements import (
    COLUMNS,
    MAKE_INDEX,
    MAKE_TABLE,
    TABLE,
    deletion,
    insertion,
    summing,
    total_of,
)
from vllm_gateway.telemetry.usage.store import MORE_S, Entry, unusable

_CONNECT_S = 5.0
_CONNECTIONS = 2
_TABLE_LOCK = 0x76_67_77_75
"""Names the lock that gateways take while they make the table; any number that nothing else uses."""
_INSERT = insertion(", ".join(f"${place + 1}" for place in range(COLUMNS)))
_DELETE = text(deletion("FOR UPDATE SKIP LOCKED"))


class DatabaseStore:
    """Keeps records in one table, which is made by the first that is written; reading makes nothing."""

    def __init__(self, database: Database, *, limit_s: float) -> None:
        """Reach for a database in which a statement may take `limit_s`."""
        self._database = database
        self._limit_s = limit_s
        self._faults: tuple[type[Exception], ...] = (*database.faults, OSError, TimeoutError)
        self._is_made = False

    async def write(self, entries: Sequence[Entry]) -> None:
        """Keep these records, those that are kept already excepted."""
        rows = [row_of(entry) for entry in entries]
        async with self._writing() as connection:
            await connection.exec_driver_sql(_INSERT, rows)

    async def totals(self, question: Question) -> list[Total]:
        """Return the sums that are asked for, one more than `MAX_ROWS` at most."""
        statement, values = summing(question)
        async with self._reaching(), self._database.reader.connect() as connection:
            if not await _is_made(connection):
                return []
            return [total_of(question.by, tuple(row)) for row in await connection.execute(text(statement), values)]

    async def delete_before(self, day: int, *, limit: int) -> int:
        """Delete some of the records that ended before a day."""
        async with self._writing() as connection:
            return (await connection.execute(_DELETE, {"day": day, "limit": limit})).rowcount

    async def close(self) -> None:
        """Let go of connections and files."""
        await self._database.reader.dispose()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction that is committed at the end; the first makes what is missing."""
        async with self._reaching(), self._database.writer.begin() as connection:
            if not self._is_made:
                await self._make(connection)
            yield connection
        self._is_made = True

    async def _make(self, connection: AsyncConnection) -> None:
        """Make the table where it is missing; no other gateway makes it meanwhile."""
        if self._database.turn_to_make is not None:
            await connection.execute(self._database.turn_to_make)
        await connection.execute(text(MAKE_TABLE))
        await connection.execute(text(MAKE_INDEX))

    @asynccontextmanager
    async def _reaching(self) -> AsyncIterator[None]:
        """Have the driver's faults told as the one that callers know."""
        try:
            async with asyncio.timeout(self._limit_s + MORE_S):
                yield
        except self._faults as fault:
            raise unusable(getattr(fault, "orig", None) or fault) from fault


def postgres_store(url: str, *, limit_s: float) -> DatabaseStore:
    """Return the store in the database at an address as libpq reads it."""
    database = postgres_database(
        url,
        schema_lock=_TABLE_LOCK,
        connections=_CONNECTIONS,
        wait_s=limit_s,
        connect_s=_CONNECT_S,
        application="vllm-gateway usage",
    )
    return DatabaseStore(database, limit_s=limit_s)


async def _is_made(connection: AsyncConnection) -> bool:
    return await connection.run_sync(lambda inner: inspect(inner).has_table(TABLE))
