"""The ledger's table in SQLite or PostgreSQL."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
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
    event,
    func,
    inspect,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.usage.question import MAX_ROWS, Question, Total
from vllm_gateway.telemetry.usage.rows import plain, row_of
from vllm_gateway.telemetry.usage.store import Entry, StoreUnusable

TABLE = "vllm_gateway_usage"
_CONNECT_S = 5.0
_MORE_S = 5.0
"""How much longer than its statements an operation may take."""
_POOL_SIZE = 2
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


@dataclass(frozen=True, slots=True)
class _Place:
    """A database, opened by its first use."""

    engine: AsyncEngine
    limit_s: float
    """How long a statement may take, or wait for a lock."""
    faults: tuple[type[Exception], ...] = ()
    prepare: Callable[[], None] = lambda: None
    """Makes the place before it is first written to; it may block."""
    is_there: Callable[[], bool] = lambda: True


class DatabaseStore:
    """Keeps records in one table, which is made by the first that is written; reading makes nothing."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._faults: tuple[type[Exception], ...] = (*place.faults, SQLAlchemyError, OSError, TimeoutError)
        self._insert = insertion(place.engine.dialect)
        self._is_made = False

    async def write(self, entries: Sequence[Entry]) -> None:
        """Keep these records, those that are kept already excepted."""
        rows = [row_of(entry) for entry in entries]
        async with self._writing() as connection:
            await connection.exec_driver_sql(self._insert, rows)

    async def totals(self, question: Question) -> list[Total]:
        """Return the sums that are asked for, one more than `MAX_ROWS` at most."""
        if not self._place.is_there():
            return []
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
        async with self._reaching(), self._place.engine.connect() as connection:
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
        await self._place.engine.dispose()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction that is committed at the end; the first makes what is missing."""
        async with self._reaching():
            if not self._is_made:
                await asyncio.to_thread(self._place.prepare)
            async with self._place.engine.begin() as connection:
                if not self._is_made:
                    await _make(connection)
                yield connection
            self._is_made = True

    @asynccontextmanager
    async def _reaching(self) -> AsyncIterator[None]:
        """Have the driver's faults told as the one that callers know."""
        try:
            async with asyncio.timeout(self._place.limit_s + _MORE_S):
                yield
        except self._faults as fault:
            raise StoreUnusable(f"The usage ledger's database cannot be used: {_reason(fault)}.") from fault


def sqlite_store(path: Path, *, limit_s: float) -> DatabaseStore:
    """Return the store in a file."""
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        hide_parameters=True,
        pool_size=_POOL_SIZE,
        max_overflow=0,
        pool_timeout=limit_s,
        connect_args={"timeout": limit_s},
    )
    event.listen(engine.sync_engine, "connect", _set_up)
    return DatabaseStore(_Place(engine, limit_s, (sqlite3.Error,), lambda: _make_file(path), path.exists))


def postgres_store(url: str, *, limit_s: float) -> DatabaseStore:
    """Return the store in the database at an address as libpq reads it."""
    import asyncpg  # noqa: PLC0415 - an extra, which SQLite does without

    address = "postgresql://" + url.partition("://")[2]

    async def connect() -> Any:  # noqa: ANN401 - SQLAlchemy's adapter takes the driver's own connection
        return await asyncpg.connect(
            address,
            timeout=_CONNECT_S,
            command_timeout=limit_s,
            server_settings={"application_name": "vllm-gateway usage"},
        )

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        hide_parameters=True,
        pool_size=_POOL_SIZE,
        max_overflow=0,
        pool_timeout=limit_s,
        pool_pre_ping=True,
    )
    faults = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    return DatabaseStore(_Place(engine, limit_s, faults))


def insertion(dialect: Dialect) -> str:
    """Return the statement that keeps rows of `row_of`; written out once, because thousands of rows go through it."""
    insert = sqlite.insert(_usage) if dialect.name == "sqlite" else postgresql.insert(_usage)
    return str(insert.on_conflict_do_nothing().compile(dialect=dialect))


def _concerned(question: Question) -> ColumnElement[bool]:
    wanted = [_usage.c.day >= question.first_day, _usage.c.day <= question.last_day]
    if question.callers is not None:
        wanted.append(_usage.c.caller.in_(sorted(question.callers)))
    if question.model is not None:
        wanted.append(_usage.c.model == plain(question.model))
    return and_(*wanted)


def _total(by: tuple[str, ...], values: tuple[Any, ...]) -> Total:
    return Total(dict(zip(by, values, strict=False)), *(int(count) for count in values[len(by) :]))


async def _is_made(connection: AsyncConnection) -> bool:
    return await connection.run_sync(lambda inner: inspect(inner).has_table(TABLE))


async def _make(connection: AsyncConnection) -> None:
    """Make the table where it is missing; no other gateway makes it meanwhile."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_TABLE_LOCK})"))
    await connection.execute(CreateTable(_usage, if_not_exists=True))
    await connection.execute(CreateIndex(_BY_DAY, if_not_exists=True))


def _set_up(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter of aiosqlite's connection
    """Make a connection keep what it acknowledges, whatever becomes of the machine."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _make_file(path: Path) -> None:
    """Make the file where there is none, readable by its owner only, and have it keep a write-ahead log."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(path, timeout=_CONNECT_S)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _reason(fault: Exception) -> str:
    """Return what went wrong in one line, without addresses' passwords or what was being kept."""
    inner = getattr(fault, "orig", None) or fault
    lines = str(inner).splitlines()
    return f"{type(inner).__name__}: {lines[0].rstrip('.')}" if lines else type(inner).__name__
