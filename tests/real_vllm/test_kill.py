"""A replica dies under load, all its processes at once, and no caller notices.

`--rounds 20` kills it twenty times.
"""

import asyncio
import random
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.real_vllm.asked import CHAT, Told, chat, questions, told
from tests.real_vllm.fleet import Fleet, Server, gateway, replica
from vllm_gateway.clock import SystemClock

STREAMS = 64
TOKENS = 256
SETTINGS = {"probe": {"every_s": 1, "most_eject_s": 2}}
BACK_S = 30.0
CLOCK = SystemClock()


async def read(http: httpx2.AsyncClient, url: str, body: dict[str, Any], begun: asyncio.Semaphore) -> list[bytes]:
    """Return the events of a stream; say when the first has come."""
    kept = bytearray()
    async with http.stream("POST", url, json=body) as response:
        assert response.status_code == 200, await response.aread()
        async for piece in response.aiter_raw():
            if not kept:
                begun.release()
            kept += piece
    return bytes(kept).removesuffix(b"\n\n").split(b"\n\n")


async def all_told(http: httpx2.AsyncClient, url: str, begun: asyncio.Semaphore) -> list[Told]:
    """Ask for all streams at once, each of exactly so many tokens; return what they tell."""
    fields: dict[str, Any] = {"ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}}
    asking = [chat(question, max_tokens=TOKENS, **fields) for question in questions(STREAMS)]
    return [told(each) for each in await asyncio.gather(*(read(http, url + CHAT, body, begun) for body in asking))]


async def until_usable(http: httpx2.AsyncClient, door: Server, count: int) -> None:
    """Return when the gateway takes so many replicas for well."""
    deadline = CLOCK.now() + BACK_S
    while (await http.get(f"{door.url}/health")).json()["replicas"]["usable"] != count:
        assert CLOCK.now() < deadline
        await asyncio.sleep(0.1)


async def killed_in_mid_stream(http: httpx2.AsyncClient, door: Server, victim: Server, after_s: float) -> list[Told]:
    """Kill a replica so long after all streams have begun; return what they told.

    New requests right after that must all succeed.
    """
    begun = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(all_told(http, door.url, begun))
        for _ in range(STREAMS):
            await begun.acquire()
        await asyncio.sleep(after_s)
        victim.kill()
        replies = await asyncio.gather(*(http.post(door.url + CHAT, json=chat(each)) for each in questions(20)))
        assert {reply.status_code for reply in replies} == {200}
    return running.result()


@pytest.mark.timeout(3600)
async def test_kill(http: httpx2.AsyncClient, replicas: Fleet, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """F-13: every stream completes with the text of the undisturbed answer, one end, and the right usage."""
    began = CLOCK.now()
    expected = await all_told(http, replicas.first.url, asyncio.Semaphore(0))
    usual_s = CLOCK.now() - began
    port = resumed = 0
    for number in range(request.config.getoption("--rounds")):
        with replica(tmp_path / f"victim-{number}.log", port=port) as victim:
            victim.wait_until_ready("/health")
            port = urlsplit(victim.url).port or 0
            with gateway(tmp_path / f"gateway-{number}.log", replicas.first, victim, settings=SETTINGS) as door:
                await until_usable(http, door, 2)
                moment_s = random.uniform(0, 0.3) * usual_s if number else 0.0  # noqa: S311 - any moment will do
                told_now = await killed_in_mid_stream(http, door, victim, moment_s)
                resumed += (now := door.log.read_text().count("its stream went on"))
        differing = sum(one != other for one, other in zip(told_now, expected, strict=True))
        sys.stderr.write(f"round {number + 1}: {now} of {STREAMS} went on elsewhere; {differing} differ\n")
        assert told_now == expected
    assert resumed > 0
