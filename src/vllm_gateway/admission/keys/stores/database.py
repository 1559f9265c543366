"""Client keys in a database, for several gateways at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    func,
    insert,
    inspect,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateTable

from vllm_gateway import codec
from vllm_gateway.admission.keys.record import KeyRecord, RecordInvalid, from_row
from vllm_gateway.admission.keys.store import StoreUnusable, pick
from vllm_gateway.state.sql import postgres_database

_CONNECT_S = 2.0
_WAIT_S = 3.0
_LIMIT_S = 5.0
"""How long a whole operation may take."""
_CONNECTIONS = 2
_TABLE_LOCK = 0x76_67_77_6B
"""Names the lock that gateways take while they make the table; any number that nothing else uses."""

TABLE = "vllm_gateway_client_keys"

_keys = Table(
    TABLE,
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("models", LargeBinary, nullable=False),
    Column("requests_per_minute", BigInteger, nullable=False),
    Column("requests_per_second", BigInteger, nullable=False),
    Column("tokens_per_minute", BigInteger, nullable=False),
    Column("tokens_per_day", BigInteger, nullable=False),
    Column("concurrent", BigInteger, nullable=False),
    Column("priority", Text, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("expires", Float(53)),
    Column("revoked", Float(53)),
)


class DatabaseStore:
    """Keeps keys in one table, which is made by the first operation."""

    def __init__(self, engine: AsyncEngine, faults: tuple[type[Exception], ...] = ()) -> None:
        self._engine = engine
        self._faults: tuple[type[Exception], ...] = (*faults, SQLAlchemyError, OSError, TimeoutError)
        self._is_made = False
        self._loaded: tuple[int, int] | None = None

    async def load(self) -> list[KeyRecord]:
        """Return all keys, the oldest first."""
        async with self._connected() as connection:
            version = await _version(connection)
            rows = await connection.execute(select(_keys).order_by(_keys.c.created, _keys.c.id))
            records = [_record(row) for row in rows]
        self._loaded = version
        return records

    async def has_changed(self) -> bool:
        """Say whether keys were added or revoked; nothing else ever changes."""
        async with self._connected() as connection:
            return await _version(connection) != self._loaded

    async def add(self, record: KeyRecord) -> None:
        """Keep a new key."""
        row = record.as_row()
        async with self._connected() as connection:
            await connection.execute(insert(_keys).values(row | {"models": codec.dumps(row["models"])}))

    async def revoke(self, wanted: str, at: float) -> KeyRecord | None:
        """Mark a key as revoked."""
        candidates = select(_keys).where(or_(_keys.c.id == wanted, _keys.c.name == wanted)).with_for_update()
        async with self._connected() as connection:
            found = pick([_record(row) for row in await connection.execute(candidates)], wanted)
            if found is None or found.revoked is not None:
                return found
            over = replace(found, revoked=float(int(at)))
            await connection.execute(update(_keys).where(_keys.c.id == over.id).values(revoked=over.revoked))
        return over

    async def close(self) -> None:
        """Let go of connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction that is committed at the end; the driver's faults become the one that callers know."""
        try:
            async with asyncio.timeout(_LIMIT_S), self._engine.begin() as connection:
                if not self._is_made:
                    await _make(connection)
                yield connection
            self._is_made = True
        except RecordInvalid as fault:
            raise StoreUnusable(f"The database's table {TABLE}: {fault}") from fault
        except self._faults as fault:
            raise StoreUnusable(f"The database cannot be used: {_reason(fault)}.") from fault


def postgres_store(url: str) -> DatabaseStore:
    """Return the store in the database at an address as libpq reads it."""
    database = postgres_database(
        url,
        schema_lock=_TABLE_LOCK,
        connections=_CONNECTIONS,
        overflow=_CONNECTIONS,
        wait_s=_WAIT_S,
        connect_s=_CONNECT_S,
        application="vllm-gateway keys",
    )
    return DatabaseStore(database.writer, database.faults)


async def _make(connection: AsyncConnection) -> None:
    """Make the table where it is missing; no other gateway makes it meanwhile."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_TABLE_LOCK})"))
    if not await connection.run_sync(lambda inner: inspect(inner).has_table(TABLE)):
        await connection.execute(CreateTable(_keys, if_not_exists=True))


async def _version(connection: AsyncConnection) -> tuple[int, int]:
    """Return what grows with every key that is added or revoked."""
    row = (await connection.execute(select(func.count(), func.count(_keys.c.revoked)).select_from(_keys))).one()
    return int(row[0]), int(row[1])


def _record(row: Row[Any]) -> KeyRecord:
    values = dict(row._mapping)  # noqa: SLF001 - its public name, which cannot be a column's
    try:
        models = codec.loads(values["models"])
    except codec.MalformedJson:
        models = None
    return from_row(values | {"models": models}, f"row {values['id']}")


def _reason(fault: Exception) -> str:
    """Return what went wrong in one line, without addresses' passwords or what was being kept."""
    inner = getattr(fault, "orig", None) or fault
    lines = str(inner).splitlines()
    return f"{type(inner).__name__}: {lines[0].rstrip('.')}" if lines else type(inner).__name__
