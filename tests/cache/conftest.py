"""A Redis of the tests' own."""

from collections.abc import Iterator

import pytest
from redis.asyncio import Redis

from tests.admission.limits.redis_process import RedisProcess


@pytest.fixture(scope="session")
def one_redis() -> Iterator[RedisProcess]:
    """Run a server for all tests that leave it alive."""
    server = RedisProcess()
    server.start()
    yield server
    server.close()


@pytest.fixture
async def empty_redis(one_redis: RedisProcess) -> str:
    """Give the address of an empty Redis."""
    async with Redis.from_url(one_redis.url) as client:
        await client.flushall()
    return one_redis.url


@pytest.fixture
def redis_process() -> Iterator[RedisProcess]:
    """Run a server that the test may do with as it likes."""
    server = RedisProcess()
    server.start()
    yield server
    server.close()
