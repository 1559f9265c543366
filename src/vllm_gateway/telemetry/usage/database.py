"""The ledger's table in SQLite or PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    inspect,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, CreateTable

from vllm_gateway.outcomes import Outcome
from vllm_gateway.state.sql import Database, postgres_database, sqlite_database
from vllm_gateway.telemetry.usage.question import MAX_ROWS, Question, Total
from vllm_gateway.telemetry.usage.rows import plain, row_of
from vllm_gateway.telemetry.usage.store import Entry, StoreUnusable

TABLE = "vllm_gateway_usage"
_CONNECT_S = 5.0
_MORE_S = 5.0
"""How much longer than its statements an operation may take."""
_CONNECTIONS = 2
_TABLE_LOCK = 0x76_67_77_75
"""Names the lock that gateways take while they make the table; any number that nothing else uses."""

_usage = Table(
    TABLE,
    MetaData(),
    Column("writer", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("started", Float(53), nullable=False),
    Column("ended", Float(53), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("caller", Text),
    Column("model_asked", Text),
    Column("model", Text),
    Column("replica", Text),
    Column("attempts", Integer, nullable=False),
    Column("resumed", Integer, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("first_token_s", Float(53)),
    sqlite_with_rowid=False,
)
_BY_DAY = Index(f"{TABLE}_by_day", _usage.c.day)

_WHOLE = (Outcome.OK.value, Outcome.OK_RETRIED.value, Outcome.OK_RESUMED.value)
_GROUPS = {
    "key": _usage.c.caller,
    "model": _usage.c.model,
    "day": _usage.c.day,
    "replica": _usage.c.replica,
    "outcome": _usage.c.outcome,
}


class DatabaseStore:
    """Keeps records in one table, which is made by the first that is written; reading makes nothing."""

    def __init__(self, database: Database, *, limit_s: float, is_there: Callable[[], bool] = lambda: True) -> None:
        """Reach for a database in which a statement may take `limit_s`; where it is not there yet, nothing is read."""
        self._database = database
        self._limit_s = limit_s
        self._is_there = is_there
        self._insert = insertion(database.writer.dialect)
        self._faults: tuple[type[Exception], ...] = (*database.faults, OSError, TimeoutError)
        self._is_made = False

    async def write(self, entries: Sequence[Entry]) -> None:
        """Keep these records, those that are kept already excepted."""
        rows = [row_of(entry) for entry in entries]
        async with self._writing() as connection:
            await connection.exec_driver_sql(self._insert, rows)

    async def totals(self, question: Question) -> list[Total]:
        """Return the sums that are asked for, one more than `MAX_ROWS` at most."""
        groups = [_GROUPS[name] for name in question.by]
        sums = (_usage.c.prompt_tokens, _usage.c.completion_tokens, _usage.c.cached_tokens)
        failed = func.sum(case((_usage.c.outcome.in_(_WHOLE), 0), else_=1))
        statement = (
            select(*groups, func.count(), failed, *(func.sum(column) for column in sums))
            .where(_concerned(question))
            .group_by(*groups)
            .order_by(*(column.nulls_first() for column in groups))
            .limit(MAX_ROWS + 1)
        )
        async with self._reaching():
            if not self._is_there():
                return []
            async with self._database.reader.connect() as connection:
                if not await _is_made(connection):
                    return []
                return [_total(question.by, tuple(row)) for row in await connection.execute(statement)]

    async def delete_before(self, day: int, *, limit: int) -> int:
        """Delete some of the records that ended before a day."""
        key = (_usage.c.writer, _usage.c.sequence)
        some = select(*key).where(_usage.c.day < day).limit(limit).with_for_update(skip_locked=True)
        async with self._writing() as connection:
            return (await connection.execute(delete(_usage).where(tuple_(*key).in_(some)))).rowcount

    async def close(self) -> None:
        """Let go of connections and files."""
        await self._database.reader.dispose()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction that is committed at the end; the first makes what is missing."""
        async with self._reaching():
            if not self._is_made:
                await asyncio.to_thread(self._database.prepare)
            async with self._database.turn_to_write, self._database.writer.begin() as connection:
                if not self._is_made:
                    await self._make(connection)
                yield connection
            self._is_made = True

    async def _make(self, connection: AsyncConnection) -> None:
        """Make the table where it is missing; no other gateway makes it meanwhile."""
        if self._database.turn_to_make is not None:
            await connection.execute(self._database.turn_to_make)
        await connection.execute(CreateTable(_usage, if_not_exists=True))
        await connection.execute(CreateIndex(_BY_DAY, if_not_exists=True))

    @asynccontextmanager
    async def _reaching(self) -> AsyncIterator[None]:
        """Have the driver's faults told as the one that callers know."""
        try:
            async with asyncio.timeout(self._limit_s + _MORE_S):
                yield
        except self._faults as fault:
            raise StoreUnusable(f"The usage ledger's database cannot be used: {_reason(fault)}.") from fault


def sqlite_store(path: Path, *, limit_s: float) -> DatabaseStore:
    """Return the store in a file."""
    database = sqlite_database(path, connections=_CONNECTIONS, wait_s=limit_s)
    return DatabaseStore(database, limit_s=limit_s, is_there=path.exists)


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


def insertion(dialect: Dialect) -> str:
    """Return the statement that keeps rows of `row_of`; written out once, because thousands of rows go through it."""
    insert = sqlite.insert(_usage) if dialect.name == "sqlite" else postgresql.insert(_usage)
    return str(insert.on_conflict_do_nothing().compile(dialect=dialect))


def _concerned(question: Question) -> ColumnElement[bool]:
    wanted = [_usage.c.day >= question.first_day, _usage.c.day <= question.last_day]
    if question.callers is not None:
        wanted.append(_usage.c.caller.in_(sorted({plain(caller) for caller in question.callers})))
    if question.model is not None:
        wanted.append(_usage.c.model == plain(question.model))
    return and_(*wanted)


def _total(by: tuple[str, ...], values: tuple[Any, ...]) -> Total:
    return Total(dict(zip(by, values, strict=False)), *(int(count) for count in values[len(by) :]))


async def _is_made(connection: AsyncConnection) -> bool:
    return await connection.run_sync(lambda inner: inspect(inner).has_table(TABLE))


def _reason(fault: Exception) -> str:
    """Return what went wrong in one line, without addresses' passwords or what was being kept."""
    inner = getattr(fault, "orig", None) or fault
    lines = str(inner).splitlines()
    return f"{type(inner).__name__}: {lines[0].rstrip('.')}" if lines else type(inner).__name__
