"""One engine."""

import asyncio
import sys

import pytest

from tests.wire.programs import CLEAN
from tests.wire.sims import fast
from vllm_gateway.clock import SystemClock
from vllm_gateway.launch.child import Child
from vllm_gateway.launch.engine import NeverReady, Started, make_room
from vllm_gateway.launch.plan import Engine
from vllm_gateway.sim import RunningSim, start


def started(url: str, said: list[str], program: str = "raise SystemExit(1)") -> Started:
    """Return what is known of an engine at an address."""
    clock = SystemClock()
    child = Child("it", [sys.executable, "-c", program], CLEAN, say=said.append, clock=clock, first_pause_s=0.01)
    engine = Engine("it", "it", "it", int(url.removesuffix("/v1").rpartition(":")[2]))
    return Started(engine, child, say=said.append, clock=clock, poll_s=0.01)


async def sleeper() -> RunningSim:
    """Return an engine that can sleep."""
    return await start(fast(dev_mode=True))


async def test_one_that_answers_is_ready() -> None:
    """And that is said."""
    sim, said = await sleeper(), list[str]()
    await started(sim.url, said).until_ready()
    await sim.close()
    assert said[0].startswith("is ready after")


async def test_one_that_ends_again_and_again_is_given_up() -> None:
    """The sentence says where to look."""
    one = started("http://127.0.0.1:1", [])
    keeping = asyncio.get_running_loop().create_task(one.child.keep())
    with pytest.raises(NeverReady, match=r"has ended \d+ times before it answered"):
        await one.until_ready()
    await one.child.stop(within_s=1)
    await keeping


async def test_room_is_made_when_the_others_are_idle() -> None:
    """What they are answering is finished first; one that is gone holds nothing."""
    sim, said = await sleeper(), list[str]()
    await make_room([started("http://127.0.0.1:1", said), started(sim.url, said)])
    assert sim.engine.scheduler.sleep_level == 1
    await sim.close()
