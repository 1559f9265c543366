"""How databases are reached."""

import asyncio
import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.sessions.stores.places import Place, itself, session
from vllm_gateway.errors import StoreFailed
from vllm_gateway.sessions.stores import sql_engines
from vllm_gateway.sessions.stores.sql import SqlStore
from vllm_gateway.sessions.stores.sql_engines import sqlite_database


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    """So are the folder that was made for it and the files beside it; nothing is made before the first use."""
    path = tmp_path / "deep" / "state" / "sessions.sqlite"
    store = SqlStore(sqlite_database(path))
    assert not path.parent.exists()
    await store.create(session())
    assert mode(path.parent) == 0o700
    assert {each.name: mode(each) for each in path.parent.iterdir()} == dict.fromkeys(
        ["sessions.sqlite", "sessions.sqlite-wal", "sessions.sqlite-shm"], 0o600
    )
    await store.close()


async def test_a_folder_that_was_there_stays_as_it_was(tmp_path: Path) -> None:
    """It may be for others too."""
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    store = SqlStore(sqlite_database(folder / "sessions.sqlite"))
    await store.create(session())
    assert mode(folder) == 0o755
    await store.close()


async def test_what_sqlite_acknowledges_survives_a_power_cut(sqlite_place: Place) -> None:
    """On every connection: a write-ahead log, synced at each commit."""
    store = await itself(sqlite_place.open())
    assert isinstance(store, SqlStore)

    async def settings() -> list[object]:
        async with store._reading() as connection:
            names = ("journal_mode", "synchronous", "foreign_keys")
            return [await connection.scalar(text(f"PRAGMA {name}")) for name in names]

    assert await asyncio.gather(*(settings() for _ in range(4))) == [["wal", 2, 1]] * 4


async def test_writers_take_their_lock_first(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second writer cannot even begin; readers go on."""
    monkeypatch.setattr(sql_engines, "WAIT_S", 0.05)
    first, second = [await itself(sqlite_place.open()) for _ in range(2)]
    assert isinstance(first, SqlStore)
    assert isinstance(second, SqlStore)
    await first.create(session())
    await second.create(session("other"))
    async with first._writing():
        assert await second.find("s", 0) == session()
        with pytest.raises(StoreFailed):
            await second.abandon("s", "h")


@pytest.mark.servers
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
async def test_an_address_of_postgresql_is_read_as_libpq_does(postgres_place: Place, scheme: str) -> None:
    """With its options, such as `sslmode`, and by any of its names."""
    address = f"{scheme}://{postgres_place.address.partition('://')[2]}&sslmode=disable"
    place = Place("postgres", address)
    await place.open().create(session())
    await place.close()
    assert await postgres_place.open().find("s", 0) == session()
