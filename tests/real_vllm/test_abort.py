"""When the caller leaves, the replica stops computing: seen in vLLM's own metrics."""

import asyncio
import contextlib

import httpx2

from tests.real_vllm.asked import CHAT, chat, gauge
from tests.real_vllm.fleet import Fleet, Server
from vllm_gateway.clock import SystemClock

LONG = chat(max_tokens=3500, ignore_eos=True)
"""An answer that takes a replica several seconds."""
STOP_TIMEOUT_S = 1.0
LOOK_S = 0.25
"""How long a look at all replicas may take on a machine that goes on; it takes some hundredths of a second."""


async def total(http: httpx2.AsyncClient, replicas: Fleet, name: str) -> float:
    """Return the sum of one of vLLM's own figures over both replicas."""
    pages = [(await http.get(f"{replica.url}/metrics")).text for replica in (replicas.first, replicas.second)]
    return sum(gauge(page, name) for page in pages)


async def unfinished(http: httpx2.AsyncClient, replicas: Fleet) -> float:
    """Return how many requests the replicas are computing or keep waiting."""
    names = ("vllm:num_requests_running", "vllm:num_requests_waiting")
    return sum([await total(http, replicas, name) for name in names])


async def wait_for(http: httpx2.AsyncClient, replicas: Fleet, count: int, timeout_s: float) -> None:
    """Return when the replicas have this many requests; fail when they have not in time.

    A look that takes long says that this machine stood still, and nothing of how long the replicas worked meanwhile:
    its time does not count, and another look must follow it.
    """
    clock = SystemClock()
    deadline = clock.now() + timeout_s
    while True:
        looked_at = clock.now()
        seen = await unfinished(http, replicas)
        if seen == count:
            return
        took_s = clock.now() - looked_at
        if took_s > LOOK_S:
            deadline += took_s
        assert clock.now() < deadline, f"{seen} requests after {timeout_s} s, not {count}"
        await asyncio.sleep(0.02)


async def test_streaming(http: httpx2.AsyncClient, front: Server, replicas: Fleet) -> None:
    """A stream that the caller closes after its first event is gone from the replica within a second, unfinished."""
    before = await total(http, replicas, "vllm:generation_tokens_total")
    async with http.stream("POST", front.url + CHAT, json={**LONG, "stream": True}) as response:
        await anext(response.aiter_raw())
    await wait_for(http, replicas, 0, STOP_TIMEOUT_S)
    assert 0 < await total(http, replicas, "vllm:generation_tokens_total") - before < LONG["max_tokens"]


async def interrupt(http: httpx2.AsyncClient, front: Server, replicas: Fleet) -> bool:
    """Ask for a plain answer and leave while a replica is seen to compute it; False when it was done before a look."""
    async with asyncio.TaskGroup() as tasks:
        request = tasks.create_task(http.post(front.url + CHAT, json=LONG))
        while not request.done() and await unfinished(http, replicas) == 0:  # noqa: ASYNC110 - metrics tell nobody
            await asyncio.sleep(0.02)
        return request.cancel()


async def test_not_streaming(http: httpx2.AsyncClient, front: Server, replicas: Fleet) -> None:
    """A plain request, of which no byte was answered yet, is gone within a second of its caller."""
    before = await total(http, replicas, "vllm:generation_tokens_total")
    attempts = 1
    while not await interrupt(http, front, replicas):
        # A machine that is busy with other things may compute the whole answer between two looks.
        assert attempts < 5
        attempts += 1
    await wait_for(http, replicas, 0, STOP_TIMEOUT_S)
    assert await total(http, replicas, "vllm:generation_tokens_total") - before < attempts * LONG["max_tokens"]


async def test_before_the_first_byte(http: httpx2.AsyncClient, front: Server, replicas: Fleet) -> None:
    """Callers who leave while their request is on its way leave nothing behind, at whatever moment they leave."""
    for delay_ms in range(0, 60, 3):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_ms / 1000):
                await http.post(front.url + CHAT, json={**LONG, "stream": True})
    await wait_for(http, replicas, 0, STOP_TIMEOUT_S)
