"""Keys in a database."""

import asyncio
import logging
import socket
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.admission.keys.making import WALL, made
from vllm_gateway.admission.keys.store import StoreUnusable
from vllm_gateway.admission.keys.stores import database
from vllm_gateway.admission.keys.stores.database import TABLE, DatabaseStore, postgres_store

PASSWORD = "open-sesame"  # noqa: S105 - opens nothing


@pytest.fixture
def engine(tmp_path: Path) -> AsyncEngine:
    """Give a database that is not there yet."""
    return create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'keys.sqlite'}")


async def test_a_database_that_is_away_is_told_in_one_sentence_without_its_password() -> None:
    """Every operation fails with the one error of stores, and works again as soon as the database does."""
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        store = postgres_store(f"postgresql://gateway:{PASSWORD}@127.0.0.1:{taken.getsockname()[1]}/keys")
        for attempt in (store.load(), store.has_changed(), store.add(made()[1]), store.revoke("ann", WALL)):
            with pytest.raises(StoreUnusable, match=r"^The database cannot be used: \w+: .+\.$") as caught:
                await attempt
            assert PASSWORD not in str(caught.value)
            assert "\n" not in str(caught.value)
        await store.close()


async def test_a_row_that_was_edited_wrongly_is_named(engine: AsyncEngine) -> None:
    """The sentence says which row of which table."""
    store = DatabaseStore(engine)
    record = made("ann")[1]
    await store.add(record)
    for column, value in (("priority", "'high'"), ("models", "'tiny'")):
        async with engine.begin() as connection:
            await connection.execute(text(f"UPDATE {TABLE} SET priority = 'batch', {column} = {value}"))  # noqa: S608 - all constants
        with pytest.raises(StoreUnusable, match=rf"{TABLE}: row {record.id} \('ann'\): {column}: "):
            await store.load()
    await store.close()


async def test_a_database_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is taken and never served holds nobody up for long."""
    monkeypatch.setattr(database, "_CONNECT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = postgres_store(f"postgresql://gateway@127.0.0.1:{silent.getsockname()[1]}/keys")
        async with asyncio.timeout(2):
            with pytest.raises(StoreUnusable, match="TimeoutError"):
                await store.load()
        await store.close()


async def test_a_key_is_in_no_column_and_no_log(engine: AsyncEngine, caplog: pytest.LogCaptureFixture) -> None:
    """S-16: what is written down is the digest; statements are logged without what they write."""
    caplog.set_level(logging.DEBUG)
    store = DatabaseStore(engine)
    secret, record = made("ann")
    await store.add(record)
    with pytest.raises(StoreUnusable) as caught:
        await store.add(record)
    async with engine.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(text(f"SELECT * FROM {TABLE}"))]  # noqa: S608 - a constant
    await store.close()
    assert record.digest in str(rows)
    assert secret not in f"{rows} {caught.value} {caplog.text}"
    assert record.digest not in str(caught.value)
