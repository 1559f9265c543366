"""A Redis that is away costs nobody anything."""

import asyncio
import random
import time

import pytest

from tests.admission.limits.redis_process import RedisProcess
from tests.waiting import until
from vllm_gateway.cache.redis import RedisStore

pytestmark = pytest.mark.servers

KEY = b"k" * 32
OPERATIONS = 2_000


async def test_a_dead_redis_is_passed_over(redis_process: RedisProcess) -> None:
    """F-09: from the first failure on nobody waits for it, and when it is back it is used again by itself."""
    store = RedisStore(redis_process.url, limit_s=1.0, probe_every_s=0.05)
    await store.keep([(KEY, b"1")], 60)
    redis_process.kill()
    assert await store.find([KEY]) == [None]
    assert store.is_away
    began = time.perf_counter()
    for _ in range(1_000):
        await store.find([KEY])
        await store.keep([(KEY, b"2")], 60)
    assert time.perf_counter() - began < 100  # it would be 2,000 if each had waited
    redis_process.start()
    await until(lambda: not store.is_away, within_s=5)
    await store.keep([(KEY, b"3")], 60)
    assert await store.find([KEY]) == [b"3"]
    await store.close()


async def test_a_redis_that_hangs_costs_one_wait(redis_process: RedisProcess) -> None:
    """F-09: one for all who came before it was noticed, nothing for all others."""
    limit_s = 2.0
    store = RedisStore(redis_process.url, limit_s=limit_s, probe_every_s=0.05)
    await until_answers(store)
    redis_process.pause()
    assert await asyncio.gather(*(store.find([KEY]) for _ in range(50))) == [[None]] * 50
    began = time.perf_counter()
    assert await asyncio.gather(*(store.find([KEY, KEY]) for _ in range(50))) == [[None, None]] * 50
    assert time.perf_counter() - began < limit_s
    assert store.is_away
    redis_process.resume()
    await until(lambda: not store.is_away, within_s=5)
    await store.close()


async def test_a_loop_that_is_held_up_is_no_late_answer(redis_process: RedisProcess) -> None:
    """Redis is not given up for what this process does not read in time."""
    store = RedisStore(redis_process.url, limit_s=1.0)
    await until_answers(store)
    found = asyncio.get_running_loop().create_task(store.find([KEY]))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(time.sleep, 3.0)
    assert await found == [b"1"]
    assert not store.is_away
    await store.close()


async def test_no_answer_belongs_to_another_request(empty_redis: str) -> None:
    """D-07: whoever leaves at any moment, all others get what they asked for."""
    store = RedisStore(empty_redis, limit_s=5.0)
    chance = random.Random(7)  # noqa: S311 - a test that can be repeated
    finished = 0

    async def ask(number: int) -> None:
        nonlocal finished
        key, text = number.to_bytes(32, "big"), b"%d" % number
        await store.keep([(key, text)], 60)
        assert await store.find([key]) == [text]
        finished += 1

    for first in range(0, OPERATIONS, 40):
        tasks = [asyncio.get_running_loop().create_task(ask(number)) for number in range(first, first + 40)]
        for task in tasks[::2]:
            asyncio.get_running_loop().call_later(chance.random() * 0.01, task.cancel)
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
    assert finished >= OPERATIONS / 2
    await store.close()


async def until_answers(store: RedisStore) -> None:
    """Wait until the connection is made, so that what is measured is not the first connect."""
    await store.keep([(KEY, b"1")], 60)
    async with asyncio.timeout(5):
        while (await store.find([KEY]))[0] is None:
            await asyncio.sleep(0.06)
            await store.keep([(KEY, b"1")], 60)
