"""What the scripts leave behind in Redis."""

import asyncio

import pytest
from redis.asyncio import Redis

from tests.admission.limits.wishes import budget, left_of, per_minute, slots, tokens
from vllm_gateway.admission.limits.limiter import LimiterAway, Reserved
from vllm_gateway.admission.limits.redis import RedisLimiter
from vllm_gateway.admission.limits.redis_scripts import meter_key

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


async def test_one_wish_that_fails_spoils_no_other(redis_limiter: RedisLimiter, empty_redis: str) -> None:
    """Though they were made together, before it and behind it."""
    broken, others = per_minute(5, "key:broken"), [per_minute(5, "key:a"), per_minute(5, "key:b")]
    async with Redis.from_url(empty_redis) as client:
        await client.hset(meter_key(broken), "of another", "kind")
    wishes = [redis_limiter.reserve(str(number), [each]) for number, each in enumerate([others[0], broken, others[1]])]
    first, second, third = await asyncio.gather(*wishes, return_exceptions=True)
    assert isinstance(second, LimiterAway)
    assert isinstance(first, Reserved)
    assert isinstance(third, Reserved)
    assert (left_of(first), left_of(third)) == ([4], [4])


async def test_what_was_wished_first_is_granted_first(redis_limiter: RedisLimiter) -> None:
    """Also of what goes together: what one gives back is there for the next, and not for the one before it."""
    one = [slots(1)]
    assert (await redis_limiter.reserve("a", one)).is_admitted
    early, _, late = await asyncio.gather(
        redis_limiter.reserve("b", one),
        redis_limiter.settle("a", one, None, is_charged=True),
        redis_limiter.reserve("c", one),
    )
    assert not early.is_admitted
    assert late.is_admitted
