"""Replicas that share one accelerator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.waiting import until
from tests.wire.sims import fast
from vllm_gateway.clock import SystemClock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim, start
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.sharing import NoRoom, Sharing
from vllm_gateway.upstream.sleeping import look


@asynccontextmanager
async def neighbours(
    *, least_awake_s: float = 0.0, patience_s: float = 60
) -> AsyncIterator[tuple[list[RunningSim], list[Replica], Sharing]]:
    """Run two sims that are awake on one accelerator, and one that has its own."""
    clock = SystemClock()
    sims = [await start(fast(dev_mode=True)) for _ in range(3)]
    replicas = [
        Replica(
            f"r-{number}",
            Upstream(url=sim.url, wake_on_request=True, accelerator="gpu-0" if number < 2 else "gpu-1"),
            clock=clock,
            connect_s=1,
        )
        for number, sim in enumerate(sims)
    ]
    try:
        yield (
            sims,
            replicas,
            Sharing(
                lambda: replicas,
                look=look,
                least_awake_s=least_awake_s,
                clock=clock,
                look_s=patience_s,
                sleep_s=patience_s,
            ),
        )
    finally:
        for replica, sim in zip(replicas, sims, strict=True):
            replica.close_idle()
            await sim.close()


def sleeping(sims: list[RunningSim]) -> list[bool]:
    """Return who sleeps."""
    return [bool(sim.engine.scheduler.sleep_level) for sim in sims]


async def test_room_is_made_by_putting_the_others_to_sleep() -> None:
    """Those on another accelerator are no concern of theirs."""
    async with neighbours() as (sims, (one, two, _), sharing):
        await sharing.make_room(two)
        assert sleeping(sims) == [True, False, False]
        assert (one.is_sleeping, one.is_yielding) == (True, False)


async def test_one_that_sleeps_is_left_alone() -> None:
    """Whatever was thought of it before: it is asked."""
    async with neighbours() as (sims, (one, two, _), sharing):
        sims[0].engine.scheduler.sleep(1)
        await sharing.make_room(two)
        assert one.is_sleeping
        assert not [seen for seen in sims[0].log.requests if seen.target.startswith("/sleep")]
        sims[0].engine.scheduler.wake_up()
        await sharing.make_room(two)
        assert sleeping(sims)[0]


async def test_what_is_being_answered_is_finished_first() -> None:
    """Meanwhile nothing new is taken; those who wait for it to be woken do not hold it up."""
    async with neighbours() as (sims, (one, two, _), sharing):
        one.outstanding, two.outstanding = 2, 1
        sharing.waiting[one] = 1
        making = asyncio.get_running_loop().create_task(sharing.make_room(two))
        await until(lambda: one.is_yielding)
        assert not one.is_awake
        assert not any(sleeping(sims))
        one.outstanding = 1
        await making
        assert sleeping(sims)[0]


async def test_one_that_was_just_woken_is_left_awake_for_a_while() -> None:
    """A swap for every request would leave no time for answers."""
    async with neighbours(least_awake_s=600) as (sims, (one, two, _), sharing):
        sharing.woke(one)
        two.outstanding = 1
        making = asyncio.get_running_loop().create_task(sharing.make_room(two))
        await asyncio.wait([making], timeout=0.3)
        assert not making.done()
        assert one.is_awake
        sharing.least_awake_s = 0
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        await sharing.make_room(two)
        assert sleeping(sims) == [True, False, False]


async def test_one_that_refuses_to_sleep_keeps_its_place() -> None:
    """Whoever waits for the other one is told, and the one goes on answering."""
    async with neighbours() as (sims, (one, two, _), sharing):
        sims[0].faults.add(["status=500/sleep"])
        with pytest.raises(NoRoom, match="holds the accelerator"):
            await sharing.make_room(two)
        assert one.is_awake


@pytest.mark.parametrize("route", ["/is_sleeping", "/sleep"])
async def test_one_that_does_not_answer_holds_nobody_up_for_ever(route: str) -> None:
    """Its memory is not free, and those who wait are told, instead of hanging as it does."""
    async with neighbours(patience_s=0.2) as (sims, (one, two, _), sharing):
        sims[0].faults.add([f"deaf{route}"])
        with pytest.raises(NoRoom, match="does not answer"):
            await sharing.make_room(two)
        assert not one.is_yielding


async def test_when_all_have_left_who_waited_the_other_one_goes_on() -> None:
    """A caller who has gone stops no model, neither while it has its time nor while it finishes what it answers."""
    async with neighbours(least_awake_s=600) as (sims, (one, two, _), sharing):
        sharing.woke(one)
        with pytest.raises(NoRoom, match="Nobody waits"):
            await sharing.make_room(two)
        sharing.least_awake_s, one.outstanding, two.outstanding = 0, 1, 1
        making = asyncio.get_running_loop().create_task(sharing.make_room(two))
        await until(lambda: one.is_yielding)
        two.outstanding = 0
        with pytest.raises(NoRoom, match="Nobody waits"):
            await making
        assert one.is_awake
        assert sleeping(sims) == [False, False, False]


async def test_one_that_is_gone_holds_nothing() -> None:
    """Its memory went with it."""
    async with neighbours() as (sims, (one, two, _), sharing):
        await sims[0].close()
        await sharing.make_room(two)
        assert not one.is_yielding


def test_one_accelerator_has_one_turn_at_a_time() -> None:
    """Replicas without a name for theirs are alone on it."""
    clock = SystemClock()
    sharing = Sharing(list, look=look, least_awake_s=0, clock=clock)
    upstream = Upstream(url="http://h:1", wake_on_request=True, accelerator="gpu-0")
    one, two = (Replica(name, upstream, clock=clock, connect_s=1) for name in ("a", "b"))
    other = Replica("c", Upstream(url="http://h:1"), clock=clock, connect_s=1)
    assert sharing.turn(one) is sharing.turn(two)
    assert sharing.turn(one) is not sharing.turn(other)
