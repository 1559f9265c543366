"""What the gateway learns by looking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.scripted import Play, Scripted, Visit, scripted
from tests.waiting import until
from vllm_gateway.clock import SystemClock
from vllm_gateway.settings.model import Probe, Upstream
from vllm_gateway.upstream.asking import MAX_ANSWER_BYTES
from vllm_gateway.upstream.pool import Pool, Replica
from vllm_gateway.upstream.probe import Prober

MODELS = b'{"object":"list","data":[{"id":"m","max_model_len":8},{"no":"id"},"junk"]}'


def telling(models: bytes = MODELS, *, health: str = "200 OK", status: str = "200 OK") -> Play:
    """Return a replica that answers its probes like this."""

    async def play(visit: Visit) -> None:
        while True:
            request = await visit.request()
            if request.startswith(b"GET /health"):
                await visit.say_json(b"", health)
            else:
                await visit.say_json(models, status)

    return play


@asynccontextmanager
async def looking(play: Play, **settings: float) -> AsyncIterator[tuple[Scripted, Replica, Prober]]:
    """Run a prober over one scripted replica."""
    async with scripted(play) as server:
        pool = Pool([Upstream(url=server.url)], clock=SystemClock(), connect_s=1)
        prober = Prober(pool, Probe.model_validate(settings), clock=SystemClock())
        await prober.open()
        try:
            yield server, pool.replicas[0], prober
        finally:
            await prober.close()
            pool.close()


async def test_a_well_replica_is_in_with_its_models() -> None:
    """Rows without an id are passed over; the others are kept as they are."""
    async with looking(telling()) as (server, replica, _):
        assert replica.is_usable
        assert replica.models == {"m": {"id": "m", "max_model_len": 8}}
        assert replica.latency_s is not None
        assert replica.latency_s >= 0
        assert len(server.visits) == 1


async def test_a_server_without_a_health_route_may_be_well() -> None:
    """Its list of models says enough."""
    async with looking(telling(health="404 Not Found")) as (_, replica, _):
        assert replica.is_usable


@pytest.mark.parametrize(
    "play",
    [
        telling(health="503 Service Unavailable"),
        telling(status="500 Internal Server Error"),
        telling(b"<html>"),
        telling(b"[]"),
        telling(b'{"data": 5}'),
        telling(b'{"data": "' + b"x" * MAX_ANSWER_BYTES + b'"}'),
    ],
    ids=["not well", "error", "html", "list", "no rows", "too large"],
)
async def test_a_replica_that_is_not_well_stays_out(play: Play) -> None:
    """It is known, and not used."""
    async with looking(play) as (_, replica, _):
        assert replica.is_known
        assert not replica.is_usable


async def test_a_silent_replica_costs_no_more_than_its_time() -> None:
    """The look ends in time."""

    async def mute(visit: Visit) -> None:
        await visit.until_closed()

    async with asyncio.timeout(2), looking(mute, timeout_s=0.1) as (server, replica, _):
        assert not replica.is_usable
        await until(lambda: server.visits[0].closed_at is not None)


async def test_a_replica_that_comes_back_is_in_again() -> None:
    """The background look finds it without being asked."""
    is_well = False

    async def play(visit: Visit) -> None:
        while True:
            request = await visit.request()
            health = "200 OK" if is_well else "503 Service Unavailable"
            if request.startswith(b"GET /health"):
                await visit.say_json(b"", health)
            else:
                await visit.say_json(MODELS)

    async with looking(play, every_s=0.05) as (_, replica, _):
        assert not replica.is_usable
        is_well = True
        await until(lambda: replica.is_usable)


async def test_many_who_ask_share_one_look() -> None:
    """A hundred callers with an unknown model make the gateway look once, and again only after a pause."""
    looks = 0

    async def play(visit: Visit) -> None:
        nonlocal looks
        while True:
            request = await visit.request()
            looks += request.startswith(b"GET /v1/models")
            await visit.say_json(MODELS)

    async with looking(play, every_s=60) as (_, _, prober):
        await asyncio.gather(*(prober.look() for _ in range(100)))
        assert looks == 2  # the first one, and one for all hundred
        await asyncio.gather(*(prober.look_again() for _ in range(100)))
        assert looks == 2
