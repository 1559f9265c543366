"""What both stores promise."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.admission.limits.redis_process import RedisProcess
from vllm_gateway.cache.memory import MemoryStore
from vllm_gateway.cache.redis import RedisStore
from vllm_gateway.cache.store import SharedStore
from vllm_gateway.clock import SystemClock

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.servers)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[SharedStore]:
    """Give a store of each kind."""
    if request.param == "memory":
        made: SharedStore = MemoryStore(SystemClock(), max_bytes=1_000_000)
    else:
        one: RedisProcess = request.getfixturevalue("one_redis")
        async with Redis.from_url(one.url) as client:
            await client.flushall()
        made = RedisStore(one.url, limit_s=5.0)
    yield made
    await made.close()


async def test_what_is_kept_is_found(store: SharedStore) -> None:
    """One by one or several at once, and nothing else."""
    await store.keep([(A, b"1")], 60)
    await store.keep([(B, b"2"), (C, b"\x00\xff")], 60)
    assert await store.find([A]) == [b"1"]
    assert await store.find([C, b"d" * 32, A, B]) == [b"\x00\xff", None, b"1", b"2"]
    assert not store.is_away


async def test_what_is_kept_again_is_new(store: SharedStore) -> None:
    """The last text counts."""
    await store.keep([(A, b"1")], 60)
    await store.keep([(A, b"2")], 60)
    assert await store.find([A]) == [b"2"]


async def test_what_is_too_old_is_gone(store: SharedStore) -> None:
    """To the millisecond, not to the second."""
    await store.keep([(A, b"1")], 0.03)
    await store.keep([(B, b"1")], 60)
    await asyncio.sleep(0.06)
    assert await store.find([A, B]) == [None, b"1"]


async def test_many_are_kept_as_well_as_one(store: SharedStore) -> None:
    """However they are divided on the way."""
    entries = [(number.to_bytes(32, "big"), b"%d" % number) for number in range(50)]
    await store.keep(entries, 60)
    assert await store.find([key for key, _ in entries]) == [text for _, text in entries]
    assert await store.find([]) == []


async def test_a_claim_is_somebodys_until_it_is_released(store: SharedStore) -> None:
    """The holder is told to everybody else, may prolong it, and is the only one who can release it."""
    assert await store.claim(A, b"\x00one\xff", 60) == b"\x00one\xff"
    assert await store.claim(A, b"other", 60) == b"\x00one\xff"
    assert await store.claim(B, b"other", 60) == b"other"
    assert await store.claim(A, b"\x00one\xff", 60) == b"\x00one\xff"
    await store.release(A, b"other")
    assert await store.claim(A, b"other", 60) == b"\x00one\xff"
    await store.release(A, b"\x00one\xff")
    assert await store.claim(A, b"other", 60) == b"other"
    assert await store.find([A, B]) == [None, None]


async def test_a_claim_runs_out(store: SharedStore) -> None:
    """One that nobody prolongs, since whoever had it was killed."""
    await store.claim(A, b"one", 0.03)
    await store.claim(B, b"one", 60)
    await asyncio.sleep(0.06)
    assert await store.claim(A, b"other", 60) == b"other"
    assert await store.claim(B, b"other", 60) == b"one"
