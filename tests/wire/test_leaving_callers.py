"""Callers who leave, whenever that is: the replica is free at once, and nothing of the request stays behind."""

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.gateway import Gateway, gateway
from tests.scripted import Visit, as_replica, scripted
from tests.waiting import PATIENCE_S, until
from tests.wire.hostile import BODY, CHAT, post
from tests.wire.sims import asked, fast, fleet
from tests.wire.test_earlier_deployments import replica
from vllm_gateway.outcomes import Outcome
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim

pytestmark = pytest.mark.both_lanes

ASKING = {"model": "sim-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
STREAMED = BODY.replace(b'"sim-small"', b'"scripted"').replace(b'"max_tokens":2', b'"stream":true')
TOKEN = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
LARGE = TOKEN.replace(b'"a"', b'"' + b"a" * 60_000 + b'"')
LAST = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"."},"finish_reason":"stop"}]}\n\n'
LEFT_WITHIN_S = 0.2


def others() -> set["asyncio.Task[Any]"]:
    """Return every task but this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}


def is_at_rest(door: Gateway) -> bool:
    """Say whether the gateway is at work on nothing, and no replica is counted as busy."""
    replicas = door.parts.pool.replicas
    return not door.parts.ledger.live and all(each.outstanding == each.work == 0 for each in replicas)


MOMENTS = ["before the head", "in the head", "in the stream", "while it does not read", "behind the last token"]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_replica_is_free_at_once(moment: str, how: str) -> None:
    """F-17: ten times the replica sees the end, the quickest within 200 ms of the caller's leaving; no task is left."""
    at_work = asyncio.Event()

    async def answer(visit: Visit, _: bytes) -> None:
        if moment != "before the head":
            await visit.say_stream_head()
        if moment not in {"before the head", "in the head"}:
            await visit.say_events(TOKEN)
        if moment == "behind the last token":
            await visit.say_events(LAST)
        at_work.set()
        while moment == "while it does not read":
            await visit.say_events(LARGE)
        await visit.until_closed()

    async with scripted(as_replica(answer)) as slow, gateway(slow.url, probe={"every_s": 600}) as door:
        await door.http.get("/livez")
        before, took_s = len(others()), []
        for _ in range(10):
            at_work.clear()
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(post(body=STREAMED))
            await asyncio.wait_for(at_work.wait(), PATIENCE_S)
            if moment in {"in the stream", "behind the last token"}:
                await reader.readuntil(TOKEN)
            if moment == "while it does not read":
                writer.transport.pause_reading()  # type: ignore[attr-defined] # a stream's transport can
                await asyncio.sleep(0.1)
            visit = slow.visits[-1]
            left_at = time.perf_counter()
            leave(writer, how)
            await until(lambda: visit.closed_at is not None)  # noqa: B023 - waited for at once
            assert visit.closed_at is not None
            took_s.append(visit.closed_at - left_at)
        assert min(took_s) < LEFT_WITHIN_S
        await until(lambda: is_at_rest(door) and len(others()) <= before + 1)  # the scripted replica's own last one
        assert door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 10}


def leave(writer: asyncio.StreamWriter, how: str = "close") -> None:
    """Close a connection in one of two ways."""
    if how == "reset":
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_who_leaves_in_the_middle_of_its_body_has_asked_nobody() -> None:
    """F-17: half a body reaches no replica, and nothing of it stays."""
    async with fleet() as ((sim,), door):
        before = len(others())
        for size in range(0, len(BODY), 7):
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(post()[: len(post()) - len(BODY) + size])
            await writer.drain()
            await asyncio.sleep(0.005)
            leave(writer)
        await until(lambda: is_at_rest(door) and len(others()) <= before)
        assert asked(sim) == []
        assert door.parts.ledger.outcomes.keys() <= {Outcome.CLIENT_GONE}


PLACES = 10


@asynccontextmanager
async def one_with_places(
    places: int,
    *,
    itl_ms: float = 0,
    **settings: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[tuple[RunningSim, Gateway]]:
    """Run a replica that takes only so many at once, and a gateway before it."""
    async with replica(fast(itl_ms=itl_ms)) as sim:
        upstream = Upstream(url=sim.url, max_concurrent=places)
        async with gateway(upstream, **{"probe": {"every_s": 600}, **settings}) as door:
            yield sim, door


async def test_a_thousand_who_leave_block_no_place() -> None:
    """F-18: 1,000 callers, not 100,000, leave at any moment; all ten places are free, and the next are answered."""
    async with one_with_places(PLACES, itl_ms=1) as (_, door):
        before = len(others())

        async def come_and_go(seed: int) -> None:
            chance = random.Random(seed)  # noqa: S311 - the same every time
            for number in range(50):
                with contextlib.suppress(ConnectionError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
                    body = BODY if number % 2 else BODY[:-1] + b',"stream":true,"ignore_eos":true}'
                    writer.write(post(body=body))
                    await asyncio.sleep(chance.choice([0, 0, 0.001, 0.002, 0.004, 0.008]) * chance.random() * 2)
                    leave(writer, chance.choice(["close", "reset"]))
                    assert reader is not None

        await asyncio.gather(*map(come_and_go, range(20)))
        await until(lambda: is_at_rest(door))  # some were gone before they were heard
        await until(lambda: len(others()) <= before)
        replies = await asyncio.gather(*(door.http.post(CHAT.decode(), json=ASKING) for _ in range(PLACES * 2)))
        assert [reply.status_code for reply in replies] == [200] * PLACES * 2
        assert door.parts.ledger.outcomes[Outcome.CLIENT_GONE] > 200
        assert door.parts.ledger.outcomes.keys() <= {Outcome.CLIENT_GONE, Outcome.OK}


def scope() -> MutableMapping[str, Any]:
    """Return a request as an ASGI server tells it."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": CHAT.decode(),
        "raw_path": CHAT,
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "extensions": {},
    }


async def in_process(door: Gateway) -> None:
    """Ask without a socket before the gateway, so that the task that answers can be cancelled."""
    has_asked = False

    async def receive() -> dict[str, Any]:
        nonlocal has_asked
        if has_asked:
            await asyncio.get_running_loop().create_future()
        has_asked = True
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(_: MutableMapping[str, Any]) -> None:
        await asyncio.sleep(0)

    await door.parts.door(scope(), receive, send)


@pytest.mark.parametrize("again_after", [0, 1, 2])
async def test_a_request_that_is_cancelled_twice_gives_back_once(again_after: int) -> None:
    """F-19: cancelled at each step, and again while it tidies up, it gives back its place and its limit once."""
    limits = {"concurrent": 1, "requests_per_minute": 100_000}
    async with one_with_places(1, limits=limits) as (_, door):
        before = len(others())
        ended = 0
        for steps in range(60):
            task = asyncio.get_running_loop().create_task(in_process(door))
            for _ in range(steps):
                await asyncio.sleep(0)
            ended += task.done()
            task.cancel()
            for _ in range(again_after):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert is_at_rest(door), steps
        await until(lambda: len(others()) <= before)
        for _ in range(3):
            assert (await door.http.post(CHAT.decode(), json=ASKING)).status_code == 200
        assert [each.outstanding for each in door.parts.pool.replicas] == [0]
        assert ended < 60
