"""D-07: a command that is cancelled leaves no answer to whoever uses its connection next."""

import asyncio
import itertools
import os
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.admission.keys.making import made
from tests.admission.keys.stores.conftest import postgres_schema as postgres_schema  # noqa: PLC0414 - a fixture here too
from tests.admission.limits.wishes import budget, left_of
from tests.sessions.stores.conftest import postgres_place as postgres_place  # noqa: PLC0414 - a fixture here too
from tests.sessions.stores.conftest import redis_place as redis_place  # noqa: PLC0414 - likewise
from tests.sessions.stores.places import NOW, Place, session
from tests.state.redis_rig import Cluster, Watched
from tests.telemetry.usage.records import DAY, entries, record
from vllm_gateway.admission.keys.stores.database import postgres_store as key_store
from vllm_gateway.admission.limits.redis import RedisLimiter
from vllm_gateway.cache.keys import digest
from vllm_gateway.cache.redis import RedisStore as AnswerStore
from vllm_gateway.sessions.stores.redis import RedisStore
from vllm_gateway.sessions.stores.sql import SqlStore
from vllm_gateway.state.redis import Client, connect
from vllm_gateway.state.sql import postgres_database
from vllm_gateway.telemetry.usage.database import postgres_store
from vllm_gateway.telemetry.usage.question import Question
from vllm_gateway.telemetry.usage.sqlite import SqliteStore
from vllm_gateway.telemetry.usage.store import UsageStore

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

CANCELS = int(os.environ.get("VLLM_GATEWAY_TEST_CANCELS", "4000"))  # noqa: TID251 - the tests' own setting
AT_ONCE = 50
KEYS = 500
WAIT_S = 20.0

Ask = Callable[[int], Awaitable[object]]
"""Asks for what is kept under a number, and returns it."""


class Commands:
    """The commands of a limiter that are under way; what prolongs its leases never ends, and is none."""

    def __init__(self, limiter: RedisLimiter) -> None:
        self._limiter = limiter

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        """Give those that are under way now."""
        return iter([task for task in self._limiter._tasks._running if task is not self._limiter._renewing])


async def cancel_at_random(
    ask: Ask, expected: Callable[[int], object], under_way: Iterable[asyncio.Task[Any]] = ()
) -> None:
    """Ask until so many were cancelled, at any moment; some have an answer, and that is their own.

    What goes on without those who asked for it is let come to its end now and then, so that it does not pile up.
    """
    chance = random.Random(7)  # noqa: S311 - a test that can be repeated
    loop = asyncio.get_running_loop()
    cancelled = answered = 0
    takes_s = 0.001

    async def one() -> None:
        nonlocal answered
        number = chance.randrange(KEYS)
        assert await ask(number) == expected(number)
        answered += 1

    while cancelled < CANCELS:
        started = loop.time()
        tasks = [loop.create_task(one()) for _ in range(AT_ONCE)]
        for task in tasks:
            loop.call_later(chance.random() * 1.5 * takes_s, task.cancel)
        await asyncio.wait(tasks)
        for task in tasks:
            if task.cancelled():
                cancelled += 1
            else:
                task.result()
        while left := list(under_way):
            await asyncio.wait(left)
        takes_s = 0.9 * takes_s + 0.1 * (loop.time() - started)
    assert answered > 0


async def test_sessions_in_redis(redis_place: Place) -> None:
    """Through the store of conversations, which lets go of callers but never of commands."""
    await _sessions(redis_place)


async def test_sessions_in_postgresql(postgres_place: Place) -> None:
    """Likewise."""
    await _sessions(postgres_place)


async def _sessions(place: Place) -> None:
    store = place.open()
    assert isinstance(store, RedisStore | SqlStore)
    for number in range(KEYS):
        await store.create(session(f"s-{number}"))

    async def ask(number: int) -> object:
        found = await store.find(f"s-{number}", NOW)
        return found and found.id

    await cancel_at_random(ask, "s-{}".format, store._outage._running)
    assert [await ask(number) for number in range(KEYS)] == [f"s-{number}" for number in range(KEYS)]


async def test_limits_in_redis(redis_url: str) -> None:
    """Each request asks of a limit of its own, and that shows in what is left of it."""
    limiter = RedisLimiter(redis_url, limit_s=WAIT_S)
    prefix, numbers = uuid4().hex, itertools.count()

    async def ask(number: int) -> object:
        name = f"{prefix}-{next(numbers)}"
        return left_of(await limiter.reserve(name, [budget(1_000 + number, name)], 1))

    try:
        await cancel_at_random(ask, lambda number: [999 + number], Commands(limiter))
    finally:
        await limiter.close()


async def test_answers_in_redis(redis_url: str) -> None:
    """One by one, and many at once."""
    store = AnswerStore(redis_url, limit_s=WAIT_S)
    keys = [digest([number]) for number in range(KEYS)]
    await store.keep([(key, b"answer-%d" % number) for number, key in enumerate(keys)], 3600)

    async def ask(number: int) -> object:
        return await store.find(keys[number : number + 1 + number % 3])

    def expected(number: int) -> object:
        return [b"answer-%d" % each for each in range(number, min(number + 1 + number % 3, KEYS))]

    try:
        await cancel_at_random(ask, expected, store._tasks._running)
        assert await store.find(keys) == [b"answer-%d" % number for number in range(KEYS)]
        assert not store.is_away
    finally:
        await store.close()


async def test_keys_in_postgresql(postgres_schema: str) -> None:
    """Each asks for one of them by its id, and gets that."""
    store = key_store(postgres_schema)
    records = [made(f"key-{number}")[1] for number in range(KEYS)]
    for each in records:
        await store.add(each)

    async def ask(number: int) -> object:
        found = await store.revoke(records[number].id, 1.0)
        return found and found.name

    try:
        await cancel_at_random(ask, "key-{}".format)
        assert sorted(each.id for each in await store.load()) == sorted(each.id for each in records)
    finally:
        await store.close()


async def test_usage_in_postgresql(postgres_schema: str) -> None:
    """Each asks for the sum over a model of its own, which is another one."""
    await _usage(postgres_store(postgres_schema, limit_s=WAIT_S))


async def test_usage_in_a_file(tmp_path: Path) -> None:
    """Likewise."""
    await _usage(SqliteStore(tmp_path / "usage.sqlite", limit_s=WAIT_S))


async def _usage(store: UsageStore) -> None:
    await store.write(entries(record(model=f"m-{number}", prompt_tokens=number) for number in range(KEYS)))

    async def ask(number: int) -> object:
        question = Question(0, DAY, ("model",), model=f"m-{number}")
        return [(total.group["model"], total.prompt_tokens) for total in await store.totals(question)]

    try:
        await cancel_at_random(ask, lambda number: [(f"m-{number}", number)])
        assert [await ask(number) for number in range(KEYS)] == [[(f"m-{number}", number)] for number in range(KEYS)]
    finally:
        await store.close()


async def test_bare_commands_of_redis(redis_url: str) -> None:
    """Even a command that is broken off half way, as no store does: its connection is not used again."""
    await _bare(connect(redis_url, wait_s=WAIT_S))


async def test_bare_commands_behind_sentinel(watched_redis: Watched) -> None:
    """Likewise."""
    await _bare(connect(watched_redis.url, wait_s=WAIT_S))


async def test_bare_commands_in_a_cluster(redis_cluster: Cluster) -> None:
    """Likewise."""
    await _bare(connect(redis_cluster.url, wait_s=WAIT_S))


async def _bare(client: Client) -> None:
    for number in range(KEYS):
        await client.set(f"key-{number}", f"value-{number}")
    try:
        await cancel_at_random(lambda number: client.get(f"key-{number}"), _value)
        every = await asyncio.gather(*(client.get(f"key-{number}") for number in range(KEYS)))
        assert every == [_value(number) for number in range(KEYS)]
    finally:
        await client.aclose()


def _value(number: int) -> bytes:
    return f"value-{number}".encode()


async def test_bare_statements_of_postgresql(postgres_url: str) -> None:
    """Likewise: what is broken off gives up its connection, and the pool goes on."""
    database = postgres_database(postgres_url, schema_lock=1, connections=8, wait_s=WAIT_S, connect_s=WAIT_S)

    async def ask(number: int) -> object:
        async with database.reader.connect() as connection:
            return (await connection.exec_driver_sql(f"SELECT {number}")).scalar()

    try:
        await cancel_at_random(ask, int)
        assert [await ask(number) for number in range(KEYS)] == list(range(KEYS))
    finally:
        await database.writer.dispose()
