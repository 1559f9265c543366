"""A place of each kind in which client keys are kept; PostgreSQL runs with `make test-servers`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tests.sessions.stores.conftest import postgres_url as postgres_url  # noqa: PLC0414 - a fixture of this folder too
from vllm_gateway.admission.keys.store import KeyStore
from vllm_gateway.admission.keys.stores.database import DatabaseStore, postgres_store
from vllm_gateway.admission.keys.stores.file import FileStore

Open = Callable[[], KeyStore]
"""Opens one more store on the same place: so many gateways."""


@pytest.fixture
async def postgres_schema(postgres_url: str) -> AsyncIterator[str]:
    """Give the address of an empty schema of PostgreSQL."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE SCHEMA {name}")
    yield f"{postgres_url}{'&' if '?' in postgres_url else '?'}search_path={name}"
    await connection.execute(f"DROP SCHEMA {name} CASCADE")
    await connection.close()


@asynccontextmanager
async def _opening(one: Open) -> AsyncIterator[Open]:
    """Open stores, and close them at the end."""
    opened: list[KeyStore] = []

    def open_one() -> KeyStore:
        opened.append(one())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def open_file(tmp_path: Path) -> AsyncIterator[Open]:
    """Open stores on one file, which is not there yet."""
    async with _opening(lambda: FileStore(tmp_path / "state" / "keys.yaml")) as opened:
        yield opened


@pytest.fixture
async def open_sqlite(tmp_path: Path) -> AsyncIterator[Open]:
    """Open stores on one database that needs no server."""
    address = f"sqlite+aiosqlite:///{tmp_path / 'keys.sqlite'}"
    async with _opening(lambda: DatabaseStore(create_async_engine(address))) as opened:
        yield opened


@pytest.fixture
async def open_postgres(postgres_schema: str) -> AsyncIterator[Open]:
    """Open stores on one schema of PostgreSQL."""
    async with _opening(lambda: postgres_store(postgres_schema)) as opened:
        yield opened


@pytest.fixture(params=["file", "sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def open_store(request: pytest.FixtureRequest) -> Open:
    """Open stores of each kind."""
    found: Open = request.getfixturevalue(f"open_{request.param}")
    return found
