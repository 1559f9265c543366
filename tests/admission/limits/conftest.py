"""A Redis of the tests' own, and a limiter of each kind."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from tests.admission.limits.redis_process import RedisProcess
from vllm_gateway.admission.limits.limiter import AwaitedLimiter
from vllm_gateway.admission.limits.memory import MemoryLimiter
from vllm_gateway.admission.limits.redis import RedisLimiter
from vllm_gateway.clock import SystemClock

PATIENT_S = 30.0
"""What a test waits for an answer that it wants, on a busy machine."""


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
        await client.script_flush()
    return one_redis.url


@pytest.fixture
def redis_process() -> Iterator[RedisProcess]:
    """Run a server that the test may do with as it likes."""
    server = RedisProcess()
    server.start()
    yield server
    server.close()


@pytest.fixture
async def redis_limiter(empty_redis: str) -> AsyncIterator[RedisLimiter]:
    """Give a limiter on Redis."""
    limiter = RedisLimiter(empty_redis, limit_s=PATIENT_S)
    yield limiter
    await limiter.close()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.servers)])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[AwaitedLimiter]:
    """Give a limiter of each kind."""
    if request.param == "memory":
        yield MemoryLimiter(SystemClock())
        return
    one: RedisProcess = request.getfixturevalue("one_redis")
    async with Redis.from_url(one.url) as client:
        await client.flushall()
    redis = RedisLimiter(one.url, limit_s=PATIENT_S)
    yield redis
    await redis.close()
