"""The orderly end, seen from outside."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2

from tests.gateway import Gateway, gateway, settings_of
from tests.scripted import MODEL, Play, Visit, as_replica, scripted
from tests.waiting import until
from vllm_gateway import codec
from vllm_gateway.edge import drain
from vllm_gateway.outcomes import Outcome

CHAT = "/v1/chat/completions"
STREAM = {"model": MODEL, "messages": [], "stream": True}
ONCE = codec.dumps({"model": MODEL, "messages": []})
STREAMED = codec.dumps(STREAM)
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


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def kept_open(door: Gateway) -> AsyncIterator[Line]:
    """Give a connection on which one request was answered, and the next one may come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        assert "connection: close" not in await asked_on(reader, writer, b"GET /livez")
        yield reader, writer
    finally:
        writer.close()


async def asked_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes, body: bytes = b"") -> str:
    """Ask on a connection; return the head of the answer, and read its body away."""
    length = f"content-length: {len(body)}\r\n\r\n".encode()
    writer.write(line + b" HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" + length + body)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
    return head


async def answered(visit: Visit, _: bytes) -> None:
    """Answer at once."""
    await visit.say_json(b'{"choices":[]}')


async def test_while_the_delay_lasts_all_is_answered_and_told_to_close() -> None:
    """F-16: not ready, yet old and new connections get their answers, each of which is the last of its connection."""
    async with (
        scripted(as_replica(answered)) as replica,
        gateway(replica.url, drain_delay_s=30) as door,
        kept_open(door) as old,
    ):
        door.stop()
        await until(lambda: door.parts.pipeline.is_draining)
        ready = await door.http.get("/readyz")
        new = await door.http.post(CHAT, json={"model": MODEL, "messages": []})
        told = await asked_on(*old, b"POST /v1/chat/completions", ONCE)
        assert (ready.status_code, new.status_code, told[:12]) == (503, 200, "HTTP/1.1 200")
        assert {ready.headers["connection"], new.headers["connection"]} == {"close"}
        assert "connection: close" in told
        assert await old[0].read() == b""
        door.stop()


async def test_a_request_that_was_under_way_tells_to_close_too() -> None:
    """F-16: its head had not left when the shutdown began."""
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def late(visit: Visit, _: bytes) -> None:
        begun.set()
        await go_on.wait()
        await visit.say_json(b'{"choices":[]}')

    async with scripted(as_replica(late)) as replica, gateway(replica.url, drain_delay_s=30) as door:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(door.http.post(CHAT, json={"model": MODEL, "messages": []}))
            await begun.wait()
            door.stop()
            await until(lambda: door.parts.pipeline.is_draining)
            go_on.set()
        assert asking.result().headers["connection"] == "close"
        door.stop()


async def test_behind_the_delay_old_connections_are_answered_and_new_ones_refused() -> None:
    """F-16: who connected before could not know; a stream that ends late is followed by one more answer."""
    go_on = asyncio.Event()
    async with (
        scripted(streaming(go_on)) as replica,
        gateway(replica.url, drain_delay_s=0.1, drain_s=30) as door,
        kept_open(door) as streamed,
    ):
        streamed[1].write(
            f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(STREAMED)}\r\n\r\n".encode() + STREAMED
        )
        assert b"connection: close" not in await streamed[0].readuntil(b"\r\n\r\n")
        door.stop()
        await until(lambda: door.parts.pipeline.still_takes is drain._is_expected)
        refused = await door.http.post(CHAT, json=STREAM)
        assert (refused.status_code, refused.headers["connection"]) == (503, "close")
        go_on.set()
        assert DONE in await streamed[0].readuntil(b"\r\n0\r\n\r\n")
        told = await asked_on(*streamed, b"GET /livez")
        assert "connection: close" in told
        door.stop()


async def test_without_a_delay_new_work_is_refused_on_old_connections_too() -> None:
    """F-15: as soon as the shutdown begins."""
    go_on = asyncio.Event()
    async with (
        scripted(streaming(go_on)) as replica,
        gateway(replica.url, drain_s=30) as door,
        kept_open(door) as old,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(read(door.http, []))
        await until(lambda: len(door.parts.ledger.live) == 1)
        door.stop()
        await until(lambda: door.parts.pipeline.is_draining)
        told = await asked_on(*old, b"POST /v1/chat/completions", ONCE)
        assert told.startswith("HTTP/1.1 503")
        go_on.set()


async def test_asked_twice_it_does_not_wait_for_the_delay_either() -> None:
    """A second signal ends it at once."""
    async with scripted(as_replica(answered)) as replica, gateway(replica.url, drain_delay_s=3600) as door:
        door.stop()
        await until(lambda: door.parts.pipeline.is_draining)
        door.stop()
