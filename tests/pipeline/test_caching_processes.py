"""A request with a name of its own that several processes get at the same moment: one of them has it answered."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.admission.limits.redis_process import RedisProcess
from tests.cache.conftest import one_redis as one_redis  # noqa: PLC0414 - a fixture of this folder too
from tests.pipeline.cached import QUESTION, STREAMED, Cached, Reply, said, whole
from tests.waiting import until
from vllm_gateway.cache.memory import MemoryStore
from vllm_gateway.cache.redis import RedisStore
from vllm_gateway.cache.store import SharedStore
from vllm_gateway.clock import HandClock
from vllm_gateway.errors import IdempotencyConflict, ReplicaFailed

NAMED = [(b"idempotency-key", b"order-1")]


Two = tuple[Cached, Cached]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.servers)])
async def two(request: pytest.FixtureRequest) -> AsyncIterator[Two]:
    """Give two processes with a place in common: one that lies in memory, or Redis."""
    if request.param == "memory":
        shared: list[SharedStore] = [MemoryStore(HandClock(), max_bytes=1_000_000)] * 2
    else:
        server: RedisProcess = request.getfixturevalue("one_redis")
        async with Redis.from_url(server.url) as client:
            await client.flushall()
        shared = [RedisStore(server.url, limit_s=20) for _ in range(2)]
    one, other = (Cached(keeps=False, shared=each) for each in shared)
    yield one, other
    for each in (one, other):
        await each.close()


async def test_the_one_that_comes_later_waits_for_the_answer(two: Two) -> None:
    """In the form that was asked for first; callers of the same process join as ever."""
    one, other = two
    one.replica.may_end.clear()
    replies = [Reply(STREAMED, headers=NAMED) for _ in range(4)]
    tasks = [(one, other)[number % 2].start(reply) for number, reply in enumerate(replies)]
    await until(lambda: said(replies[0].sink.written) == said(replies[2].sink.written) == "Hello")
    assert (replies[1].sink.written, other.replica.asked) == (b"", [])
    one.replica.may_end.set()
    await asyncio.gather(*tasks)
    assert {reply.body for reply in replies} == {replies[0].body}
    assert (len(one.replica.asked), other.replica.asked) == (1, [])
    assert [reply.cache for reply in replies] == ["miss", "hit", "hit", "hit"]


async def test_another_request_of_that_name_is_refused_while_the_first_is_under_way(two: Two) -> None:
    """By the other process too, before any answer is there, and afterwards."""
    one, other = two
    one.replica.may_begin.clear()
    asking = one.start(Reply(QUESTION, headers=NAMED))
    await until(lambda: bool(one.replica.asked))
    with pytest.raises(IdempotencyConflict):
        await other.ask({**QUESTION, "temperature": 1}, headers=NAMED)
    one.replica.may_begin.set()
    await asking
    with pytest.raises(IdempotencyConflict):
        await other.ask({**QUESTION, "temperature": 1}, headers=NAMED)
    assert (await other.ask(QUESTION, headers=NAMED)).body == whole()


async def test_when_the_first_fails_the_other_has_it_answered(two: Two) -> None:
    """The failure is that caller's; nothing is left in the way of those who come later."""
    one, other = two
    one.replica.may_begin.clear()
    one.replica.failure = ReplicaFailed("no")
    failing, waiting = one.start(Reply(QUESTION, headers=NAMED)), Reply(QUESTION, headers=NAMED)
    await until(lambda: bool(one.replica.asked))
    task = other.start(waiting)
    one.replica.may_begin.set()
    await asyncio.wait([failing, task])
    assert isinstance(failing.exception(), ReplicaFailed)
    assert (waiting.body, waiting.cache, len(other.replica.asked)) == (whole(), "miss", 1)


async def test_who_leaves_leaves_nothing_in_the_way(two: Two) -> None:
    """Whether it waited for the other process or was being answered."""
    one, other = two
    one.replica.may_begin.clear()
    asking = one.start(Reply(QUESTION, headers=NAMED))
    await until(lambda: bool(one.replica.asked))
    waiting = other.start(Reply(QUESTION, headers=NAMED))
    await asyncio.sleep(0)
    waiting.cancel()
    asking.cancel()
    await asyncio.wait([waiting, asking])
    assert (await other.ask(QUESTION, headers=NAMED)).cache == "miss"
    assert (await one.ask(QUESTION, headers=NAMED)).cache == "hit"
