"""What the scripts leave behind in Redis."""

import pytest
from redis.asyncio import Redis

from tests.admission.limits.wishes import budget, left_of, per_minute, slots, tokens
from vllm_gateway.admission.limits.redis import RedisLimiter

pytestmark = pytest.mark.servers


async def test_nothing_stays_for_ever(redis_limiter: RedisLimiter, empty_redis: str) -> None:
    """Every key has an end, and all lie in one slot of a cluster."""
    meters = [per_minute(5), tokens(100), budget(100), slots(3)]
    await redis_limiter.reserve("r", meters, 50)
    await redis_limiter.extend("r", meters, 10)
    await redis_limiter.announce("gateway")
    async with Redis.from_url(empty_redis) as client:
        keys = [key async for key in client.scan_iter("*")]
        assert len(keys) == 8
        assert all(key.startswith(b"{vllm-gateway:1:limits}:") for key in keys)
        assert all([await client.ttl(key) > 0 for key in keys])


async def test_the_open_request_goes_with_its_settlement(redis_limiter: RedisLimiter, empty_redis: str) -> None:
    """And nothing is kept of a rate that is whole again."""
    meters = [per_minute(5), slots(3)]
    await redis_limiter.reserve("r", meters)
    await redis_limiter.settle("r", meters, None, is_charged=False)
    async with Redis.from_url(empty_redis) as client:
        assert await client.keys("*") == []


async def test_the_gateways_are_counted(redis_limiter: RedisLimiter) -> None:
    """Each once, until it leaves."""
    assert [await redis_limiter.announce(name) for name in ("a", "b", "a")] == [1, 2, 2]
    await redis_limiter.leave("a")
    assert await redis_limiter.announce("b") == 1


async def test_a_script_cache_that_was_emptied_is_filled_again(redis_limiter: RedisLimiter, empty_redis: str) -> None:
    """As after a failover, between any two requests."""
    async with Redis.from_url(empty_redis) as client:
        for number in range(5):
            assert left_of(await redis_limiter.reserve(str(number), [budget(100)], 1)) == [99 - number]
            await client.script_flush()
