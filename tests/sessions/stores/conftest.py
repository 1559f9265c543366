"""A place and a store of each kind; those on servers run with `make test-servers`."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.sessions.stores.places import Place
from tests.sessions.stores.servers import ServerMissing, postgres_server, redis_server
from vllm_gateway.sessions.store import Store

SHARED = [pytest.param("postgres", marks=pytest.mark.servers), pytest.param("redis", marks=pytest.mark.servers)]


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Give a Redis whose contents are the tests' own: each test empties it."""
    yield from _given_or_started("VLLM_GATEWAY_TEST_REDIS_URL", redis_server)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Give a PostgreSQL in which the tests may make and drop schemas."""
    yield from _given_or_started("VLLM_GATEWAY_TEST_POSTGRES_URL", postgres_server)


def _given_or_started(variable: str, started: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    if given := os.environ.get(variable):  # noqa: TID251 - the tests' own setting
        yield given
        return
    try:
        with started() as url:
            yield url
    except ServerMissing as missing:
        pytest.fail(f"{missing} Or name a server in {variable}.", pytrace=False)


@pytest.fixture
async def redis_place(redis_url: str) -> AsyncIterator[Place]:
    """Give an empty Redis."""
    async with Redis.from_url(redis_url) as client:
        await client.flushdb()
    place = Place("redis", redis_url)
    yield place
    await place.close()


@pytest.fixture
async def postgres_place(postgres_url: str) -> AsyncIterator[Place]:
    """Give an empty schema of PostgreSQL."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE SCHEMA {name}")
    place = Place("postgres", f"{postgres_url}{'&' if '?' in postgres_url else '?'}search_path={name}")
    yield place
    await place.close()
    await connection.execute(f"DROP SCHEMA {name} CASCADE")
    await connection.close()


@pytest.fixture
async def memory_place() -> Place:
    """Give a place in this process."""
    return Place("memory")


@pytest.fixture
async def sqlite_place(tmp_path: Path) -> AsyncIterator[Place]:
    """Give a file that is not there yet."""
    place = Place("sqlite", str(tmp_path / "state" / "sessions.sqlite"))
    yield place
    await place.close()


@pytest.fixture(params=["memory", "sqlite", *SHARED])
def place(request: pytest.FixtureRequest) -> Place:
    """Give a place of each kind."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture(params=["sqlite", *SHARED])
def lasting_place(request: pytest.FixtureRequest) -> Place:
    """Give a place of each kind that outlives a gateway."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
def store(place: Place) -> Store:
    """Give a store of each kind."""
    return place.open()
