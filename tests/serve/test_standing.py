"""Parts that stay whatever the settings become."""

import asyncio

import pytest

from tests.edge.house.replicas import serving
from tests.scripted import scripted
from vllm_gateway.admission.turnstile import Who
from vllm_gateway.callers import Priority
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import ReplicasUnusable
from vllm_gateway.serve.standing import open_standing
from vllm_gateway.settings.model import Session, Settings, Upstream
from vllm_gateway.upstream.replica import Replica


async def wait(granted: "asyncio.Future[Replica]") -> Replica:
    """Wait as nobody in particular."""
    return await granted


async def test_every_replica_has_been_looked_at_when_they_are_open() -> None:
    """The first request finds somebody."""
    async with scripted(serving("m")) as server:
        settings = Settings(upstreams=(Upstream(url=server.url),), session=Session(backend="memory"))
        async with open_standing(settings, SystemClock()) as standing:
            assert [list(replica.models) for replica in standing.pool.replicas] == [["m"]]
            assert not standing.ledger.live


async def test_who_waits_hears_of_every_change() -> None:
    """More room lets somebody in; a replica that goes sends those away who wait for it alone."""
    async with scripted(serving("m")) as server:
        settings = Settings(upstreams=(Upstream(url=server.url, max_concurrent=1),), session=Session(backend="memory"))
        async with open_standing(settings, SystemClock()) as standing:
            pool, turnstile = standing.pool, standing.turnstile
            (replica,) = pool.replicas
            replica.outstanding = 1
            loop = asyncio.get_running_loop()

            async def enter() -> Replica:
                who = Who("ann", Priority.STANDARD)
                return await turnstile.enter(who, [replica], lambda free: free[0], wait)

            async def enter_later() -> "asyncio.Task[Replica]":
                task = loop.create_task(enter())
                await asyncio.sleep(0)
                assert turnstile.waiting
                return task

            first = await enter_later()
            pool.follow("configured", [Upstream(url=server.url, max_concurrent=2)])
            assert await first is replica
            second = await enter_later()
            pool.remove(replica.name)
            with pytest.raises(ReplicasUnusable):
                await second
