"""Replicas that sleep, and requests that wake them, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.gateway import Gateway, gateway
from tests.waiting import until
from tests.wire.sims import asked, fast
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim, start

CHAT = "/v1/chat/completions"
SAYS = {"model": "sim-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}


@asynccontextmanager
async def dormitory(
    count: int = 1,
    *,
    wakes: bool = True,
    **settings: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[tuple[list[RunningSim], Gateway]]:
    """Run sims that can sleep, and a gateway that looks at them often."""
    async with AsyncExitStack() as stack:
        sims = []
        for _ in range(count):
            sims.append(await start(fast(dev_mode=True)))
            stack.push_async_callback(sims[-1].close)
        upstreams = [Upstream(url=sim.url, wake_on_request=wakes) for sim in sims]
        yield sims, await stack.enter_async_context(gateway(*upstreams, probe={"every_s": 0.05}, **settings))


async def put_to_sleep(door: Gateway, sim: RunningSim, number: int = 0) -> None:
    """Let a sim sleep, and wait until the gateway knows."""
    answer = await door.http.post(f"{sim.url}/sleep?level=1")
    assert answer.status_code == 200
    await until(lambda: door.parts.pool.replicas[number].is_sleeping)


def wakings(sim: RunningSim) -> int:
    """Return how often it was woken."""
    return sum(seen.target == "/wake_up" for seen in sim.log.requests)


async def test_requests_wake_a_replica_once() -> None:
    """All that come while it sleeps are answered, and one of them wakes it."""
    async with dormitory() as ((sim,), door):
        await put_to_sleep(door, sim)
        answers = await asyncio.gather(*(door.http.post(CHAT, json=SAYS) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert wakings(sim) == 1
        assert not door.parts.pool.replicas[0].is_sleeping


async def test_those_who_are_awake_are_asked_first() -> None:
    """As long as one replica is awake the other one sleeps on."""
    async with dormitory(2) as ((one, two), door):
        await put_to_sleep(door, two, 1)
        for _ in range(6):
            assert (await door.http.post(CHAT, json=SAYS)).status_code == 200
        assert (len(asked(one)), len(asked(two)), wakings(two)) == (6, 0, 0)


async def test_one_that_may_not_be_woken_is_not_asked() -> None:
    """Without the setting a sleeping replica is out, and in again when somebody has woken it."""
    async with dormitory(wakes=False) as ((sim,), door):
        await put_to_sleep(door, sim)
        assert (await door.http.post(CHAT, json=SAYS)).status_code == 503
        assert wakings(sim) == 0
        await door.http.post(f"{sim.url}/wake_up")
        await until(lambda: door.parts.pool.replicas[0].is_usable)
        assert (await door.http.post(CHAT, json=SAYS)).status_code == 200


async def test_a_stream_hears_comments_while_it_waits() -> None:
    """A replica takes its time to wake; its caller's stream is kept open, and then answered."""
    async with dormitory(sse_heartbeat_s=0.1) as ((sim,), door):
        await put_to_sleep(door, sim)
        sim.faults.add(["stall=0.6/wake_up"])
        answer = await door.http.post(CHAT, json={**SAYS, "stream": True})
        assert answer.text.startswith(": keepalive\n\n")
        assert answer.text.endswith("data: [DONE]\n\n")


async def test_a_caller_who_leaves_does_not_stop_the_waking() -> None:
    """Nobody is asked in its name, and the replica is awake for the next."""
    async with dormitory() as ((sim,), door):
        await put_to_sleep(door, sim)
        sim.faults.add(["stall=0.2/wake_up"])
        leaving = asyncio.get_running_loop().create_task(door.http.post(CHAT, json=SAYS))
        await until(lambda: wakings(sim) == 1)
        leaving.cancel()
        await until(lambda: not door.parts.pool.replicas[0].is_sleeping)
        assert asked(sim) == []
        assert (await door.http.post(CHAT, json=SAYS)).status_code == 200
        assert wakings(sim) == 1
        assert door.parts.pool.replicas[0].outstanding == 0


async def test_one_that_does_not_wake_is_an_error() -> None:
    """The caller is told, in a sentence that it can read."""
    async with dormitory() as ((sim,), door):
        await put_to_sleep(door, sim)
        sim.faults.add(["status=500/wake_up"])
        answer = await door.http.post(CHAT, json=SAYS)
        assert answer.status_code == 502
        assert "sleeps" in answer.json()["error"]["message"]
