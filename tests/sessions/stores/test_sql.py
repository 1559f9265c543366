"""Conversations in a database: what the contract of all stores leaves open."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert

from tests.sessions.stores.places import NOW, Place, itself, session, turn
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import StoreFailed
from vllm_gateway.sessions.stores import sql_engines
from vllm_gateway.sessions.stores.outage import SENTENCE
from vllm_gateway.sessions.stores.sql import SqlStore
from vllm_gateway.sessions.stores.sql_tables import VERSION, schema
from vllm_gateway.sessions.turns import Turns


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def sql_place(request: pytest.FixtureRequest) -> Place:
    """Give a place of each database."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


async def test_a_store_of_a_newer_version_is_left_alone(sql_place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """D-12: callers and the log are told why; nothing is written."""
    first, second = await itself(sql_place.open()), sql_place.open()
    assert isinstance(first, SqlStore)
    await first.create(session())
    async with first._writing() as connection:
        await connection.execute(insert(schema).values(version=VERSION + 1))
    for _ in range(2):
        with pytest.raises(StoreFailed, match="by a newer version of vllm-gateway"):
            await second.create(session("other"))
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert await first.find("other", NOW) is None


async def test_a_file_that_is_locked_is_a_failed_store(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it is; who waited for it leaves no lock behind."""
    monkeypatch.setattr(sql_engines, "WAIT_S", 0.1)
    store = sqlite_place.open()
    await store.create(session())
    with closing(sqlite3.connect(sqlite_place.address, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match=SENTENCE):
            await store.abandon("s", "h")
        assert await store.find("s", NOW) == session()
        other.execute("COMMIT")
    await store.create(session("other"))
    await sqlite_place.open().create(session("third"))


async def test_a_turn_whose_caller_was_told_of_a_failure_is_not_kept_later(sqlite_place: Place) -> None:
    """The file was locked for longer than the caller was to wait; when it is free, nothing comes after."""
    store = await itself(sqlite_place.open())
    assert isinstance(store, SqlStore)
    turns = Turns(store, wait_s=5, clock=SystemClock())
    await store.create(session(ttl_s=0))
    store._outage._limit_s = 0.1
    with closing(sqlite3.connect(sqlite_place.address, isolation_level=None)) as other:
        async with turns.begin("s", lambda _: True) as held:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreFailed, match=SENTENCE):
                await held.finish(turn("late"))
            other.execute("COMMIT")
    await turns.close()
    await store.close()
    assert await store.messages("s", start=0, limit=9) == []


async def test_a_turn_whose_caller_left_is_not_kept_later(sqlite_place: Place) -> None:
    """The file was locked when the caller left, so the turn was not yet kept; the next one begins at once."""
    store = sqlite_place.open()
    turns = Turns(store, wait_s=5, clock=SystemClock())
    await store.create(session(ttl_s=0))

    async def say(word: str) -> None:
        async with turns.begin("s", lambda _: True) as held:
            if word == "late":
                other.execute("BEGIN IMMEDIATE")
            await held.finish(turn(word))

    with closing(sqlite3.connect(sqlite_place.address, isolation_level=None)) as other:
        leaving = asyncio.get_running_loop().create_task(say("late"))
        await asyncio.sleep(0.1)
        leaving.cancel()
        await asyncio.sleep(0.01)
        other.execute("COMMIT")
    await asyncio.gather(leaving, return_exceptions=True)
    await say("next")
    await turns.close()
    assert [each.fields["content"] for each in await store.messages("s", start=0, limit=9)] == ["next"]


async def test_a_turn_that_began_too_late_blocks_nobody(sqlite_place: Place) -> None:
    """Its caller was told that the store is away; its lease is given up as soon as the store is back."""
    store = await itself(sqlite_place.open())
    assert isinstance(store, SqlStore)
    turns = Turns(store, wait_s=2, clock=SystemClock())
    await store.create(session(ttl_s=0))
    with closing(sqlite3.connect(sqlite_place.address, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store._outage._limit_s = 0.05
        with pytest.raises(StoreFailed, match=SENTENCE):
            async with turns.begin("s", lambda _: True):
                pass
        store._outage._limit_s = 5
        other.execute("COMMIT")
    async with turns.begin("s", lambda _: True) as held:
        await held.finish(turn("soon"))
    await turns.close()


@pytest.mark.parametrize("content", [b"no database at all" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
async def test_a_corrupt_file_is_a_failed_store(tmp_path: Path, content: bytes) -> None:
    """It is not overwritten."""
    path = tmp_path / "sessions.sqlite"
    path.write_bytes(content)
    place = Place("sqlite", str(path))
    with pytest.raises(StoreFailed, match=SENTENCE):
        await place.open().create(session())
    await place.close()
    assert path.read_bytes() == content


async def test_a_path_that_cannot_be_is_a_failed_store(tmp_path: Path) -> None:
    """A folder in the file's place, or a file in the folder's."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "sessions.sqlite"):
        place = Place("sqlite", str(path))
        with pytest.raises(StoreFailed, match=SENTENCE):
            await place.open().find("s", NOW)
        await place.close()


async def test_a_full_disk_is_a_failed_store(sqlite_place: Place) -> None:
    """What was kept before is still there."""
    store = await itself(sqlite_place.open())
    assert isinstance(store, SqlStore)
    await store.create(session())
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(_make_small(store))
    with pytest.raises(StoreFailed, match=SENTENCE):
        await store.create(session("large", system_prompt="x" * 1_000_000))
    assert await store.find("large", NOW) is None
    assert await store.find("s", NOW) == session()


async def _make_small(store: SqlStore) -> None:
    """Leave no room for another page on one of the connections."""
    async with store._reading() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count = 1")
        await asyncio.sleep(0.05)
