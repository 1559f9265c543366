"""A place of each kind in which usage is kept; PostgreSQL runs with `make test-servers`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.admission.keys.stores.conftest import postgres_schema as postgres_schema  # noqa: PLC0414 - a fixture here too
from tests.sessions.stores.conftest import postgres_url as postgres_url  # noqa: PLC0414 - as above
from vllm_gateway.telemetry.usage.database import postgres_store
from vllm_gateway.telemetry.usage.sqlite import SqliteStore
from vllm_gateway.telemetry.usage.store import UsageStore

Open = Callable[[], UsageStore]
"""Opens one more store on the same place: so many gateways."""


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    """Give the path of a file that is not there yet, in a folder that is not there yet."""
    return tmp_path / "state" / "usage.sqlite"


@asynccontextmanager
async def _opening(one: Open) -> AsyncIterator[Open]:
    """Open stores, and close them at the end."""
    opened: list[UsageStore] = []

    def open_one() -> UsageStore:
        opened.append(one())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def open_sqlite(ledger_file: Path) -> AsyncIterator[Open]:
    """Open stores on one file."""
    async with _opening(lambda: SqliteStore(ledger_file, limit_s=5)) as opened:
        yield opened


@pytest.fixture
async def open_postgres(postgres_schema: str) -> AsyncIterator[Open]:
    """Open stores on one schema of PostgreSQL."""
    async with _opening(lambda: postgres_store(postgres_schema, limit_s=5)) as opened:
        yield opened


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def open_store(request: pytest.FixtureRequest) -> Open:
    """Open stores of each kind."""
    found: Open = request.getfixturevalue(f"open_{request.param}")
    return found


@pytest.fixture
def store(open_store: Open) -> UsageStore:
    """Give a store of each kind."""
    return open_store()
