"""The ways to databases."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from vllm_gateway.state.sql import Database, postgres_database, sqlite_database

WAIT_S = 5.0


def postgres(url: str, *, connections: int = 2, wait_s: float = WAIT_S) -> Database:
    """Return the database at an address."""
    return postgres_database(
        url, schema_lock=7, connections=connections, wait_s=wait_s, connect_s=WAIT_S, application="the tests"
    )


async def test_a_file_is_made_by_its_preparation_only(tmp_path: Path) -> None:
    """With its folder; it is its owner's alone, and is read while it is written."""
    path = tmp_path / "deep" / "some.sqlite"
    database = sqlite_database(path, connections=2, wait_s=WAIT_S)
    assert not path.parent.exists()
    await asyncio.to_thread(database.prepare)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    async with database.writer.begin() as writing:
        await writing.execute(text("CREATE TABLE things (name TEXT)"))
    async with database.turn_to_write, database.writer.begin() as writing:
        await writing.execute(text("INSERT INTO things VALUES ('new')"))
        async with database.reader.connect() as reading:
            assert await reading.scalar(text("SELECT count(*) FROM things")) == 0
            assert await reading.scalar(text("PRAGMA synchronous")) == 2
    async with database.reader.connect() as reading:
        assert await reading.scalar(text("SELECT count(*) FROM things")) == 1
    await database.writer.dispose()


async def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """Another one, of another gateway, waits for so long and not longer; what it meets is among the faults."""
    path = tmp_path / "some.sqlite"
    first, second = (sqlite_database(path, connections=2, wait_s=0.05) for _ in range(2))
    await asyncio.to_thread(first.prepare)
    async with first.writer.begin():
        with pytest.raises(OperationalError) as failed:
            async with second.writer.begin():
                pytest.fail("there were two")
    assert isinstance(failed.value, first.faults)
    for database in (first, second):
        await database.writer.dispose()


async def test_a_database_that_is_away_is_a_fault() -> None:
    """Of the driver or of the system; nothing is reached before the first statement."""
    database = postgres("postgresql://me@127.0.0.1:1/name")
    with pytest.raises((*database.faults, OSError)):
        async with database.reader.connect():
            pytest.fail("there is nobody")
    await database.writer.dispose()


@pytest.mark.servers
async def test_who_finds_no_connection_waits_for_one(postgres_url: str) -> None:
    """There are never more than so many; they say whose they are."""
    database = postgres(postgres_url)

    async def ask(number: int) -> tuple[int, int]:
        async with database.reader.connect() as connection:
            counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'the tests'"
            return int(await connection.scalar(text(f"SELECT {number}"))), int(await connection.scalar(text(counted)))

    answers = await asyncio.gather(*(ask(number) for number in range(20)))
    assert [number for number, _ in answers] == list(range(20))
    assert max(connections for _, connections in answers) <= 2
    await database.writer.dispose()


@pytest.mark.servers
async def test_an_answer_is_waited_for_so_long(postgres_url: str) -> None:
    """Then the statement has failed, and its connection is not used again."""
    database = postgres(postgres_url, connections=1, wait_s=0.2)
    with pytest.raises((*database.faults, TimeoutError)):
        async with database.reader.connect() as connection:
            await connection.execute(text("SELECT pg_sleep(5)"))
    async with database.reader.connect() as connection:
        assert await connection.scalar(text("SELECT 7")) == 7
    await database.writer.dispose()


@pytest.mark.servers
async def test_of_several_servers_the_one_that_takes_writes_is_found(postgres_url: str) -> None:
    """Whichever of those that the address names are there."""
    several = postgres_url.replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:")
    database = postgres(f"{several}{'&' if '?' in several else '?'}target_session_attrs=primary")
    async with database.reader.connect() as connection:
        assert await connection.scalar(text("SELECT 7")) == 7
    await database.writer.dispose()


@pytest.mark.servers
async def test_tables_are_made_by_one_at_a_time(postgres_url: str) -> None:
    """Whoever holds the lock makes them; the others wait for the end of its transaction."""
    database = postgres(postgres_url)
    assert database.turn_to_make is not None
    order = []

    async def make(name: str) -> None:
        assert database.turn_to_make is not None
        async with database.writer.begin() as connection:
            await connection.execute(database.turn_to_make)
            order.append(name)
            await asyncio.sleep(0.05)
            order.append(name)

    await asyncio.gather(make("a"), make("b"))
    assert order in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
    await database.writer.dispose()
