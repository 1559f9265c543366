"""One of three gateways is killed at work: what becomes of the others, of its callers, and of what it held."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from benchmarks.rolling_restart import Count, Gateway, gateways, load
from tests.admission.limits.redis_process import RedisProcess
from tests.waiting import until
from tests.wire.streams import CHAT, MODEL, Streamed
from vllm_gateway.sim import RunningSim

CUT = frozenset({"RemoteProtocolError", "ReadError", "ConnectError"})
"""What a caller sees whose gateway is gone: no answer, rather than a wrong one."""
LONG = 2_000
"""Tokens of streams that would go on for more than a minute."""


@asynccontextmanager
async def client_of(gateway: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of one gateway."""
    url = f"http://127.0.0.1:{gateway.port}"
    async with httpx2.AsyncClient(base_url=url, timeout=120, trust_env=False) as http:
        yield http


async def held_streams(http: httpx2.AsyncClient, count: int, tokens: int) -> list[Streamed]:
    """Open streams, and wait until all have begun; one that a busy Redis keeps from being let in is asked for again."""
    streams: list[Streamed] = []
    async with asyncio.timeout(60):
        while len(streams) < count:
            stream = Streamed(http, f"Question {len(streams)}", tokens=tokens)
            await until(lambda: bool(stream.text) or stream.task.done(), within_s=30)  # noqa: B023 - waited for here
            if not stream.task.done():
                streams.append(stream)
    return streams


async def cut_off(streams: list[Streamed]) -> set[str]:
    """Wait until all streams have failed; return how."""
    failures = await asyncio.gather(*(stream.task for stream in streams), return_exceptions=True)
    assert not any(stream.is_done for stream in streams)
    return {type(failure).__name__ for failure in failures}


def running(replicas: list[RunningSim]) -> int:
    """Return how many answers the replicas work on."""
    return sum(len(sim.engine.scheduler.running) for sim in replicas)


async def begun(ask: Callable[[], Awaitable[httpx2.Response]], replicas: list[RunningSim]) -> asyncio.Task[None]:
    """Ask until the replicas work on one answer more; return what fails when its gateway dies."""
    before = running(replicas)

    async def answer() -> None:
        assert (await ask()).status_code != 200

    async with asyncio.timeout(60):
        while True:
            asking = asyncio.get_running_loop().create_task(answer())
            await until(lambda: asking.done() or running(replicas) > before, within_s=30)  # noqa: B023 - waited for here
            if not asking.done():
                return asking
            await asking


@pytest.mark.timeout(240)
async def test_the_others_notice_nothing(tmp_path: Path) -> None:
    """F-12: no error there; its own callers are cut off, and the replicas stop working for it."""
    counts = [Count(), Count()]
    async with (
        gateways(tmp_path, settings={}, itl_ms=40) as (behind, _, replicas),
        client_of(behind[0]) as http,
    ):
        streams = await held_streams(http, 10, LONG)
        async with AsyncExitStack() as stack:
            for count, gateway in zip(counts, behind[1:], strict=True):
                url = f"http://127.0.0.1:{gateway.port}"
                await stack.enter_async_context(load(url, count, callers=1, long_tokens=20, pause_s=0.05))
            await until(lambda: min(count.total for count in counts) > 10, within_s=60)
            await behind[0].kill()
            assert await cut_off(streams) <= CUT
            before = [count.total for count in counts]
            await until(lambda: all(c.total > was + 20 for c, was in zip(counts, before, strict=True)), within_s=60)
        await until(lambda: running(replicas) == 0, within_s=20)
    assert [count.failed for count in counts] == [{}, {}]


@pytest.fixture
def redis() -> Iterator[RedisProcess]:
    """Run a Redis."""
    server = RedisProcess()
    server.start()
    yield server
    server.close()


async def until_told(http: httpx2.AsyncClient, status: int, *, tokens: int) -> None:
    """Ask for a short answer that may have so many tokens, until it is let in or refused as it should."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": tokens, "stop": [" "]}
    async with asyncio.timeout(60):
        while (await http.post(CHAT, json=body)).status_code != status:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)


@pytest.mark.servers
@pytest.mark.timeout(300)
async def test_what_it_held_is_free_after_half_a_minute(tmp_path: Path, redis: RedisProcess) -> None:
    """F-12, D-04, D-08: places, reserved tokens and the turn of a conversation; that has no half turn."""
    settings = {
        "GATEWAY_STATE__REDIS_URL": redis.url,
        "GATEWAY_LIMITS__BACKEND": "redis",
        "GATEWAY_LIMITS__CONCURRENT": "4",
        "GATEWAY_LIMITS__TOKENS_PER_DAY": "10000",
        "GATEWAY_SESSION__BACKEND": "redis",
    }
    async with (
        gateways(tmp_path, settings=settings, itl_ms=40) as (behind, _, replicas),
        client_of(behind[0]) as killed,
        client_of(behind[1]) as other,
    ):
        session = (await other.post("/v1/sessions", json={})).json()["id"]
        turn = f"/v1/sessions/{session}/chat"
        streams = await held_streams(killed, 3, LONG)
        said_one = {"message": "one", "max_tokens": LONG, "ignore_eos": True}
        talking = await begun(lambda: killed.post(turn, json=said_one), replicas)
        await until_told(other, 429, tokens=10)  # four are under way
        await behind[0].kill()
        began = asyncio.get_running_loop().time()
        assert await cut_off(streams) <= CUT
        with contextlib.suppress(httpx2.TransportError):
            await talking
        await until_told(other, 429, tokens=3_000)
        await until_told(other, 200, tokens=3_000)
        took_s = asyncio.get_running_loop().time() - began
        assert took_s < 45  # 30, and the time that a busy machine takes for it
        said = await other.post(turn, json={"message": "two", "max_tokens": 5})
        assert said.status_code == 200, said.text
        kept = (await other.get(f"/v1/sessions/{session}/messages")).json()["data"]
    assert [(row["role"], row["content"]) for row in kept if row["role"] == "user"] == [("user", "two")]
    assert len(kept) == 2
