"""Limits in Redis: what the contract of all limiters leaves open."""

import asyncio
import random

import pytest

from tests.admission.limits.redis_process import RedisProcess
from tests.admission.limits.wishes import budget, left_of, slots, tokens
from vllm_gateway.admission.limits.limiter import LimiterAway
from vllm_gateway.admission.limits.redis import RedisLimiter

pytestmark = pytest.mark.servers

OPERATIONS = 2_000
PATIENT_S = 30.0


async def _rest(limiter: RedisLimiter) -> None:
    """Wait until nothing is under way but the renewal of slots."""
    async with asyncio.timeout(PATIENT_S):
        while len(limiter._tasks) > (limiter._renewing is not None):  # noqa: ASYNC110 - there is no event for that
            await asyncio.sleep(0.01)


async def test_a_gateway_that_died_gives_up_its_slots(empty_redis: str) -> None:
    """L-06: when their lease has run out; those of a gateway that lives are prolonged."""
    living = RedisLimiter(empty_redis, limit_s=PATIENT_S, lease_s=0.3)
    dying = RedisLimiter(empty_redis, limit_s=PATIENT_S, lease_s=0.3)
    assert (await living.reserve("living", [slots(2)])).is_admitted
    assert (await dying.reserve("dying", [slots(2)])).is_admitted
    assert not (await living.reserve("third", [slots(2)])).is_admitted
    await dying.close()
    await asyncio.sleep(0.5)
    assert (await living.reserve("third", [slots(2)])).is_admitted
    assert not (await living.reserve("fourth", [slots(2)])).is_admitted
    await living.close()


async def test_what_a_gateway_that_died_had_reserved_is_settled_for_its_prompts(empty_redis: str) -> None:
    """D-04, F-12: when its leases have run out, by whichever gateway looks next, and once; others keep theirs."""
    living = RedisLimiter(empty_redis, limit_s=PATIENT_S, lease_s=0.6)
    dying = RedisLimiter(empty_redis, limit_s=PATIENT_S, lease_s=0.6)
    meters = [tokens(1000), budget(1000)]
    assert (await living.reserve("living", meters, 100, least_tokens=7)).is_admitted
    for number in range(3):
        assert (await dying.reserve(f"dying{number}", meters, 100, least_tokens=7)).is_admitted
    await dying.settle("dying0", meters, 30, is_charged=True)
    assert dying._renewing is not None
    dying._renewing.cancel()
    await living.announce("living")
    assert left_of(await living.reserve("early", [budget(1000)], 0)) == [1000 - 3 * 100 - 30]
    async with asyncio.timeout(PATIENT_S):
        while living.counters["abandoned"] < 2:
            await living.announce("living")
            await asyncio.sleep(0.05)
    assert left_of(await living.reserve("late", [budget(1000)], 0)) == [1000 - 100 - 30 - 2 * 7]
    await dying.settle("dying1", meters, 100, is_charged=True)  # were it not dead after all
    await living.announce("living")
    await living.settle("living", meters, 50, is_charged=True)
    assert left_of(await living.reserve("last", [budget(1000)], 0)) == [1000 - 50 - 30 - 2 * 7]
    assert living.counters["abandoned"] == 2
    await living.close()
    await dying.close()


async def test_after_an_outage_leases_are_prolonged_before_any_is_given_up(redis_process: RedisProcess) -> None:
    """F-09: what nobody could prolong meanwhile belongs to a gateway that lives."""
    limiter = RedisLimiter(redis_process.url, limit_s=PATIENT_S, lease_s=1.2)
    assert (await limiter.reserve("long", [budget(1000)], 100, least_tokens=7)).is_admitted
    limiter._limit_s = 0.05
    redis_process.pause()
    with pytest.raises(LimiterAway):
        await limiter.announce("this")
    await asyncio.sleep(1.3)
    redis_process.resume()
    limiter._limit_s = PATIENT_S
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < began + 1.5:
        await limiter.announce("this")
        await asyncio.sleep(0.05)
    assert limiter.counters["abandoned"] == 0
    await limiter.settle("long", [budget(1000)], 60, is_charged=True)
    assert left_of(await limiter.reserve("next", [budget(1000)], 0)) == [940]
    await limiter.close()


async def test_no_answer_belongs_to_another_request(redis_limiter: RedisLimiter) -> None:
    """D-07, F-19: whoever leaves at any moment; and what the leaving had reserved is given back."""
    chance = random.Random(7)  # noqa: S311 - a test that can be repeated
    finished = 0

    async def ask(number: int) -> None:
        nonlocal finished
        amount = 1_000 + number
        reserved = await redis_limiter.reserve(f"r{number}", [budget(amount, f"key:{number}"), slots(64)], 1)
        try:
            assert left_of(reserved)[0] == amount - 1
            finished += 1
        finally:
            meters = [budget(amount, f"key:{number}"), slots(64)]
            await redis_limiter.settle(f"r{number}", meters, None, is_charged=True)

    for start in range(0, OPERATIONS, 40):
        tasks = [asyncio.get_running_loop().create_task(ask(number)) for number in range(start, start + 40)]
        for task in tasks[::2]:
            asyncio.get_running_loop().call_later(chance.random() * 0.02, task.cancel)
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
    assert finished >= OPERATIONS // 2
    await _rest(redis_limiter)
    for number in range(64):
        assert (await redis_limiter.reserve(f"all{number}", [slots(64)])).is_admitted


async def test_a_late_reservation_is_given_back(redis_process: RedisProcess) -> None:
    """F-19: nobody waited for it, so nobody would ever settle it."""
    limiter = RedisLimiter(redis_process.url)
    await limiter.announce("warm")
    redis_process.pause()
    with pytest.raises(LimiterAway):
        await limiter.reserve("late", [budget(100), slots(1)], 50)
    redis_process.resume()
    await _rest(limiter)
    assert limiter.counters["undone"] == 1
    assert left_of(await limiter.reserve("next", [budget(100), slots(1)], 50)) == [50, 0]
    await limiter.close()
