"""What is made of the settings, and what takes its place."""

import time

from tests.edge.house.replicas import serving
from tests.exchanges import exchange
from tests.gateway import settings_of
from tests.scripted import scripted
from vllm_gateway.clock import SystemClock
from vllm_gateway.outcomes import Outcome
from vllm_gateway.serve.front import open_fronts
from vllm_gateway.serve.standing import open_standing
from vllm_gateway.settings.model import Upstream


async def test_an_earlier_front_stays_until_its_last_answer_has_ended() -> None:
    """Those that came later do not keep it."""
    async with scripted(serving("m")) as server:
        settings = settings_of(server.url)
        async with open_standing(settings, SystemClock()) as standing, open_fronts(settings, standing) as fronts:
            closed: list[str] = []
            before, under_way, later = fronts.now, exchange(), exchange()
            assert fronts._now is not None
            fronts._now[1].callback(closed.append, "first")
            standing.ledger.open(under_way)
            fronts.swap(await fronts.made(settings_of(server.url, default_model="m")))
            assert fronts.now is not before
            standing.ledger.open(later)
            await fronts.tidy()
            assert closed == []
            standing.ledger.close(under_way, Outcome.OK)
            await fronts.tidy()
            assert closed == ["first"]
            standing.ledger.close(later, Outcome.OK)


async def test_a_shutdown_that_has_begun_goes_on_behind_another_front() -> None:
    """Settings that come too late let nobody in again."""
    async with scripted(serving("m")) as server:
        settings = settings_of(server.url)
        async with open_standing(settings, SystemClock()) as standing, open_fronts(settings, standing) as fronts:
            fronts.now.pipeline.is_draining = True
            fronts.swap(await fronts.made(settings))
            assert fronts.now.pipeline.is_draining


async def test_only_replicas_that_can_be_full_are_waited_for() -> None:
    """A front is made for what the pool holds at that time."""
    async with scripted(serving("m")) as server:
        settings = settings_of(server.url)
        async with open_standing(settings, SystemClock()) as standing:
            async with open_fronts(settings, standing) as fronts:
                assert not fronts.now.has_rooms
            standing.pool.add(Upstream(url=server.url, max_concurrent=2))
            async with open_fronts(settings, standing) as fronts:
                assert fronts.now.has_rooms


async def test_making_a_front_holds_nobody_up_for_long() -> None:
    """It is made in the loop in which the streams run."""
    async with scripted(serving("m")) as server:
        settings = settings_of(server.url)
        async with open_standing(settings, SystemClock()) as standing, open_fronts(settings, standing) as fronts:
            took_s = []
            for _ in range(10):
                began = time.perf_counter()
                _, stack = await fronts.made(settings)
                took_s.append(time.perf_counter() - began)
                await stack.aclose()
            assert min(took_s) < 0.1
