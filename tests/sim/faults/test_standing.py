"""Faults of the whole sim."""

import asyncio

import httpx2
import pytest

from tests.sim.quick import HELLO, LONG, Quick, quick
from tests.waiting import PATIENCE_S, until

CHAT = "/v1/chat/completions"


async def is_up(sim: Quick) -> bool:
    """Tell whether a new connection is taken."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", sim.sim.port)
    except ConnectionError:
        return False
    writer.close()
    return True


async def test_refusing_closes_the_door_and_leaves_who_is_in() -> None:
    """New connections are refused, an open one goes on; afterwards the same port listens again."""
    async with quick() as sim:
        await sim.http.get("/health")
        sim.sim.faults.add(["refuse"])
        await asyncio.sleep(0)
        assert not await is_up(sim)
        assert (await sim.http.get("/health")).status_code == 200
        port = sim.sim.port
        await sim.sim.faults.clear()
        assert await is_up(sim)
        assert sim.sim.port == port


async def test_a_crash_resets_everybody() -> None:
    """Streams break off and nobody gets in, for its time; then it is as if nothing had been."""
    async with quick(itl_ms=2) as sim:
        stream = asyncio.get_running_loop().create_task(sim.stream(CHAT, **LONG))
        await until(lambda: sim.sim.engine.meters.generation_tokens > 3)
        sim.sim.faults.add(["crash=0.05"])
        with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
            await stream
        assert not sim.sim.engine.scheduler.running
        assert not await is_up(sim)
        while not await is_up(sim):  # noqa: ASYNC110 - the door tells nobody when it opens
            await asyncio.sleep(0.01)
        await sim.post(CHAT, **HELLO)


async def test_flapping_is_up_and_down_in_turn() -> None:
    """Up for the first time, down for the second, and again."""
    async with quick(faults=("flap=0.06:0.06",)) as sim:
        seen = [await is_up(sim)]
        async with asyncio.timeout(PATIENCE_S):
            while len(seen) < 4:
                await asyncio.sleep(0.005)
                if (now := await is_up(sim)) != seen[-1]:
                    seen.append(now)
    assert seen == [True, False, True, False]


async def test_a_wedge_of_its_time() -> None:
    """Nothing is made while it lasts, and everything afterwards."""
    async with quick(itl_ms=1, faults=("wedge=0.1",)) as sim:
        began = asyncio.get_running_loop().time()
        await sim.post(CHAT, **HELLO, max_tokens=3)
        assert asyncio.get_running_loop().time() - began >= 0.09


async def test_a_wedge_holds_until_it_is_taken_out() -> None:
    """Health is good, something runs, and no token is made."""
    async with quick(itl_ms=1, faults=("wedge",)) as sim:
        running = asyncio.get_running_loop().create_task(sim.post(CHAT, **HELLO))
        await until(lambda: len(sim.sim.engine.scheduler.running) == 1)
        await asyncio.sleep(0.03)
        assert sim.sim.engine.meters.generation_tokens == 0
        await sim.sim.faults.clear()
        assert (await running)["choices"][0]["finish_reason"] == "stop"
