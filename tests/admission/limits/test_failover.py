"""Limits while the Redis that counts them is replaced by its replica."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.admission.limits.wishes import per_minute, slots
from tests.state import redis_rig
from tests.state.redis_rig import Cluster, Watched
from tests.waiting import until
from vllm_gateway.admission.limits.fallback import FallbackLimiter
from vllm_gateway.admission.limits.memory import MemoryLimiter
from vllm_gateway.admission.limits.redis import RedisLimiter
from vllm_gateway.clock import SystemClock

pytestmark = pytest.mark.servers

GATEWAYS = 3
KEYS = tuple(f"key:{name}" for name in "abcd")
AMOUNT = 60
BEFORE_S = 1.0
AFTER_S = 2.0
BACK_S = 20.0
LIMIT_S = 0.5
"""How long Redis is waited for here, so that a slow machine is not taken for a Redis that is away."""
LOST = 2
"""Requests that the replica may not have heard of."""


@pytest.fixture
def watched_redis() -> Iterator[Watched]:
    """Run a server, its replica and their Sentinel."""
    with redis_rig.watched() as rig:
        yield rig


@pytest.fixture
def redis_cluster() -> Iterator[Cluster]:
    """Run a cluster."""
    with redis_rig.cluster() as rig:
        yield rig


class Load:
    """Three gateways that are asked more than any key may have, all the time."""

    def __init__(self, url: str) -> None:
        self.limiters = [
            FallbackLimiter(RedisLimiter(url, limit_s=LIMIT_S), MemoryLimiter(SystemClock())) for _ in range(GATEWAYS)
        ]
        self.admitted = dict.fromkeys(KEYS, 0)
        self.waits: list[float] = []
        self.started = 0.0
        self._number = 0

    @property
    def is_away(self) -> bool:
        """Some gateway counts for itself."""
        return any(limiter._is_away for limiter in self.limiters)

    async def run(self) -> None:
        """Ask until cancelled, from when all know of each other on."""
        for limiter in self.limiters:
            await limiter.open()
        async with asyncio.timeout(BACK_S):
            while any(limiter._gateways < GATEWAYS or limiter._errors for limiter in self.limiters):
                for limiter in self.limiters:
                    await limiter._ask()
        self.started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for limiter in self.limiters:
                for key in KEYS:
                    group.create_task(self._ask(limiter, key))

    async def close(self) -> None:
        """Close the limiters."""
        for limiter in self.limiters:
            await limiter.close()

    async def _ask(self, limiter: FallbackLimiter, key: str) -> None:
        while True:
            self._number += 1
            name, meters = f"r{self._number}", [per_minute(AMOUNT, key), slots(1000, key)]
            started = time.perf_counter()
            reserved = await limiter.reserve(name, meters)
            self.waits.append(time.perf_counter() - started)
            if reserved.is_admitted:
                self.admitted[key] += 1
                await limiter.settle(name, meters, None, is_charged=True)
            await asyncio.sleep(0.02)


@pytest.fixture
async def load_on_sentinel(watched_redis: Watched) -> AsyncIterator[Load]:
    """Give gateways that find their Redis by asking a Sentinel."""
    load = Load(watched_redis.url)
    yield load
    await load.close()


@pytest.fixture
async def load_on_cluster(redis_cluster: Cluster) -> AsyncIterator[Load]:
    """Give gateways whose Redis is a cluster."""
    load = Load(redis_cluster.url)
    yield load
    await load.close()


async def test_no_key_gets_more_than_one_burst_too_much(watched_redis: Watched, load_on_sentinel: Load) -> None:
    """F-10: while the server is killed and its replica takes over; and all gateways count together again soon.

    One burst is what the gateways let in by themselves. Meanwhile the server, which nobody asks, gives back what it has
    counted, so that as much again is let in as comes in that time.
    """
    load = load_on_sentinel
    running = asyncio.get_running_loop().create_task(load.run())
    await asyncio.sleep(BEFORE_S)
    killed = time.perf_counter()
    watched_redis.master.kill()
    await asyncio.to_thread(redis_rig.wait_until, watched_redis.is_replaced)
    replaced = time.perf_counter()
    while load.is_away:  # noqa: ASYNC110 - there is no event for that
        await asyncio.sleep(0.01)
    back = time.perf_counter()
    assert back - replaced < BACK_S
    await asyncio.sleep(AFTER_S)
    assert not load.is_away
    running.cancel()
    await asyncio.wait([running])
    per_s = AMOUNT / 60
    allowed = AMOUNT + per_s * (time.perf_counter() - load.started)
    assert all(admitted >= AMOUNT for admitted in load.admitted.values())
    assert max(load.admitted.values()) - allowed <= AMOUNT + per_s * (back - killed) + LOST, load.admitted
    assert statistics.median(load.waits) < LIMIT_S


async def test_a_cluster_counts_as_one_server_does(redis_cluster: Cluster, load_on_cluster: Load) -> None:
    """All limits lie on one node; when that is replaced, they go with it."""
    load = load_on_cluster
    running = asyncio.get_running_loop().create_task(load.run())
    await until(lambda: all(admitted >= AMOUNT for admitted in load.admitted.values()))
    await asyncio.sleep(BEFORE_S)
    admitted, now = dict(load.admitted), time.perf_counter()
    assert max(admitted.values()) <= AMOUNT + AMOUNT / 60 * (now - load.started) + 1, admitted
    assert sum(bool(master.ask("--scan")) for master in redis_cluster.masters) == 1
    running.cancel()
    await asyncio.wait([running])
