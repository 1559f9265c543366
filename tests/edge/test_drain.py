"""The orderly end, seen from outside."""

import asyncio
import contextlib

import httpx2

from tests.gateway import gateway, settings_of
from tests.scripted import MODEL, Play, Visit, as_replica, scripted
from tests.waiting import until
from vllm_gateway.outcomes import Outcome

CHAT = "/v1/chat/completions"
STREAM = {"model": MODEL, "messages": [], "stream": True}
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{"content":"."},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def streaming(go_on: asyncio.Event) -> Play:
    """Return a replica that stops in the middle of a stream until it may go on."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        await visit.say_events(TOKEN)
        await go_on.wait()
        await visit.say_events(LAST, DONE, is_last=True)

    return as_replica(answer)


async def read(http: httpx2.AsyncClient, seen: list[bytes]) -> None:
    """Read a stream, however it ends."""
    with contextlib.suppress(httpx2.RemoteProtocolError):
        async with http.stream("POST", CHAT, json=STREAM) as reply:
            async for chunk in reply.aiter_raw():
                seen.append(chunk)  # noqa: PERF401 - what came before a break must be kept


async def test_a_stream_under_way_finishes_while_new_work_is_refused() -> None:
    """F-15: during the drain ready is no, alive is yes, new work is 503, and the old stream comes to its proper end."""
    go_on = asyncio.Event()
    seen: list[bytes] = []
    async with scripted(streaming(go_on)) as replica, gateway(replica.url, drain_s=600) as door:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(door.http, seen))
            await until(lambda: bool(seen))
            door.stop()
            await until(lambda: door.parts.pipeline.is_draining)
            ready = await door.http.get("/readyz")
            alive = await door.http.get("/livez")
            refused = await door.http.post(CHAT, json=STREAM)
            go_on.set()
        assert (ready.status_code, alive.status_code, refused.status_code) == (503, 200, 503)
        assert int(refused.headers["retry-after"]) > 0
        assert b"".join(seen) == TOKEN + LAST + DONE
        assert door.parts.ledger.outcomes == {Outcome.REFUSED_OVERLOAD: 1, Outcome.OK: 1}


async def test_what_does_not_finish_in_time_is_told_so() -> None:
    """F-15: after the deadline a stream gets an error event, no [DONE], and the replica is released."""
    seen: list[bytes] = []
    async with scripted(streaming(asyncio.Event())) as replica, gateway(replica.url, drain_s=0.2) as door:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(door.http, seen))
            await until(lambda: len(door.parts.ledger.live) == 1)
            await until(lambda: bool(seen))
            door.stop()
        text = b"".join(seen)
        assert b'"code":"shutting_down"' in text
        assert b"[DONE]" not in text
        assert door.parts.ledger.outcomes == {Outcome.REFUSED_OVERLOAD: 1}
        assert door.parts.pool.replicas[0].outstanding == 0


async def test_asked_twice_it_does_not_wait() -> None:
    """A second signal ends the wait at once."""
    async with (
        scripted(streaming(asyncio.Event())) as replica,
        gateway(replica.url, drain_s=600) as door,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(read(door.http, []))
        await until(lambda: len(door.parts.ledger.live) == 1)
        door.stop()
        await until(lambda: door.parts.pipeline.is_draining)
        door.stop()


async def test_after_a_reload_the_new_pipeline_is_ended() -> None:
    """The time for it is that of the settings that count now."""
    seen: list[bytes] = []
    found = [settings_of("http://127.0.0.1:9")]
    async with (
        scripted(streaming(asyncio.Event())) as replica,
        gateway(replica.url, drain_s=600, read=lambda: found[-1]) as door,
    ):
        found.append(settings_of(replica.url, drain_s=0.1))
        await door.parts.reloading.reload()
        async with asyncio.TaskGroup() as group:
            group.create_task(read(door.http, seen))
            await until(lambda: len(door.parts.ledger.live) == 1)
            await until(lambda: bool(seen))
            door.stop()
            await until(lambda: door.parts.pipeline.is_draining)
        assert b'"code":"shutting_down"' in b"".join(seen)
