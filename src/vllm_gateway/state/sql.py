"""The way to PostgreSQL, and to a file of SQLite: how they are reached, and in what they differ."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, TextClause, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from vllm_gateway.state.sqlite_file import SET_UP, make_file


@dataclass(frozen=True, slots=True)
class Database:
    """A database, opened by its first use."""

    name: str
    writer: AsyncEngine
    """Begins transactions that write."""
    reader: AsyncEngine
    """Runs statements that read, each for itself."""
    faults: tuple[type[Exception], ...]
    """What the driver raises, beside `OSError`."""
    prepare: Callable[[], None]
    """Makes the place before the first connection; it may block."""
    turn_to_write: AbstractAsyncContextManager[Any]
    """Lets the writers of this process pass one by one where the database has room for one only."""
    turn_to_make: TextClause | None
    """Run in the transaction that makes the tables: no other gateway makes them meanwhile."""


def sqlite_database(path: Path, *, connections: int, wait_s: float) -> Database:
    """Return the database in a file, which several processes may share.

    `wait_s` is how long a lock of the database, or a free connection to it, is waited for.
    """
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait_s,
        connect_args={"timeout": wait_s},
    )
    event.listen(engine.sync_engine, "connect", _set_up)
    writer = engine.execution_options(writes=True)
    event.listen(engine.sync_engine, "begin", _begin)
    return Database(
        name="sqlite",
        writer=writer,
        reader=engine,
        faults=(SQLAlchemyError, sqlite3.Error),
        prepare=lambda: make_file(path, wait_s),
        turn_to_write=asyncio.Lock(),
        turn_to_make=None,  # a transaction that writes is alone
    )


def postgres_database(
    url: str,
    *,
    schema_lock: int,
    connections: int,
    overflow: int = 0,
    wait_s: float,
    connect_s: float,
    application: str = "vllm-gateway",
) -> Database:
    """Return the database at an address as libpq reads it.

    `schema_lock` names the lock that gateways take while they make the tables; any number that nothing else uses.
    `wait_s` is how long an answer, or a free connection, is waited for.
    """
    import asyncpg  # noqa: PLC0415 - an extra, which SQLite does without

    address = "postgresql://" + url.partition("://")[2]

    async def connect() -> Any:  # noqa: ANN401 - SQLAlchemy's adapter takes the driver's own connection
        return await asyncpg.connect(
            address,
            timeout=connect_s,
            command_timeout=wait_s,
            server_settings={"application_name": application},
        )

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=overflow,
        pool_timeout=wait_s,
        pool_pre_ping=True,
    )
    return Database(
        name="postgres",
        writer=engine,
        reader=engine.execution_options(isolation_level="AUTOCOMMIT"),
        faults=(SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
        prepare=lambda: None,
        turn_to_write=nullcontext(),
        turn_to_make=text(f"SELECT pg_advisory_xact_lock({schema_lock})"),
    )


async def server_time_s(database: Database) -> float:
    """Return the time of a PostgreSQL server, in seconds since the epoch; raises one of its faults, or `OSError`."""
    async with database.reader.connect() as connection:
        return float((await connection.execute(text("SELECT extract(epoch FROM now())"))).scalar_one())


def _set_up(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter of aiosqlite's connection
    """Make a connection keep what it acknowledges, and leave the beginning of transactions to `_begin`."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for statement in SET_UP:
        cursor.execute(statement)
    cursor.close()


def _begin(connection: Connection) -> None:
    """Take the file's write lock first: a reader that turns into a writer could find its view outdated."""
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
