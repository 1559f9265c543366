"""HTTP/1.1 by hand, on real sockets."""

import asyncio
import re

import pytest

from tests.sim.quick import quick
from tests.sim.raw import GET, answer, chat, wire
from tests.waiting import PATIENCE_S, until


async def test_a_connection_serves_one_request_after_the_other() -> None:
    """It is kept open, and the journal counts one connection."""
    async with quick() as sim, wire(sim) as (reader, writer):
        for _ in range(3):
            writer.write(GET)
            assert (await answer(reader))[1] == b'{"version":"0.32.0"}'
        assert (sim.sim.log.connections_total, sim.sim.log.requests_total) == (1, 3)


async def test_requests_that_arrive_together_are_answered_in_order() -> None:
    """Pipelining works, also when the first answer takes longer."""
    async with quick(itl_ms=1) as sim, wire(sim) as (reader, writer):
        writer.write(chat(max_tokens=5) + GET + GET)
        assert b"chat.completion" in (await answer(reader))[1]
        assert (await answer(reader))[1] == (await answer(reader))[1] == b'{"version":"0.32.0"}'


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    """As uvicorn does after five seconds, here after less; what is busy is left alone."""
    async with quick(keep_alive_s=0.05, itl_ms=1) as sim, wire(sim) as (reader, writer):
        writer.write(chat(max_tokens=100))
        await answer(reader)
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        await until(lambda: sim.sim.log.connections[0].closed_by == "sim")


async def test_a_caller_can_ask_for_the_end_of_the_connection() -> None:
    """`connection: close` is answered in kind."""
    async with quick() as sim, wire(sim) as (reader, writer):
        writer.write(b"GET /version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b"connection: close" in await reader.read()


async def test_a_body_may_come_in_chunks() -> None:
    """A chunked request is read like any other."""
    async with quick() as sim, wire(sim) as (reader, writer):
        head, _, body = chat(max_tokens=1).partition(b"\r\n\r\n")
        head = re.sub(rb"content-length: \d+", b"transfer-encoding: chunked", head)
        pieces = [body[at : at + 10] for at in range(0, len(body), 10)]
        writer.write(head + b"\r\n\r\n")
        for piece in [*pieces, b""]:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        assert b"chat.completion" in (await answer(reader))[1]
        assert sim.sim.log.requests[0].body == body


async def test_a_caller_may_wait_for_the_word_to_go_on() -> None:
    """`Expect: 100-continue` is answered before the body comes."""
    async with quick() as sim, wire(sim) as (reader, writer):
        head, _, body = chat(max_tokens=1).partition(b"\r\n\r\n")
        writer.write(head + b"\r\nexpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await answer(reader))[0].startswith(b"HTTP/1.1 200 OK\r\n")


async def test_what_is_not_http_is_refused() -> None:
    """The answer is a 400 in plain text, as uvicorn's, and the end."""
    async with quick() as sim, wire(sim) as (reader, writer):
        writer.write(b"NONSENSE\r\n\r\n")
        text = await reader.read()
        assert text.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert text.endswith(b"Invalid HTTP request received.")


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_caller_who_leaves_ends_the_work_at_once(*, is_stream: bool) -> None:
    """No token is made for nobody: slot and blocks are free, and the journal knows when the caller left."""
    async with quick(itl_ms=2) as sim:
        async with wire(sim) as (_, writer):
            writer.write(chat(stream=is_stream, max_tokens=1000))
            await until(lambda: bool(sim.sim.log.requests) and sim.sim.log.requests[0].tokens > 2)
            writer.transport.abort()
        seen = sim.sim.log.requests[0]
        await until(lambda: seen.gone_at is not None)
        tokens = seen.tokens
        await asyncio.sleep(0.02)
        assert seen.tokens == tokens
        assert sim.sim.engine.scheduler.kv.usage == 0
        assert not sim.sim.engine.scheduler.running
        assert sim.sim.log.in_flight == 0


async def test_a_caller_who_leaves_while_waiting_leaves_the_line() -> None:
    """Who never got a slot is forgotten like the others."""
    async with quick(itl_ms=2, max_num_seqs=1) as sim, wire(sim) as (_, first):
        first.write(chat(stream=True, max_tokens=1000))
        async with wire(sim) as (_, second):
            second.write(chat())
            await until(lambda: len(sim.sim.engine.scheduler.waiting) == 1)
        await until(lambda: not sim.sim.engine.scheduler.waiting)
        assert len(sim.sim.engine.scheduler.running) == 1


async def test_a_request_may_come_byte_by_byte() -> None:
    """However slowly it comes, it is the same request."""
    async with quick() as sim, wire(sim) as (reader, writer):
        request = chat(max_tokens=1)
        for at in range(len(request)):
            writer.write(request[at : at + 1])
            await asyncio.sleep(0)
        assert b"chat.completion" in (await answer(reader))[1]
        assert sim.sim.log.requests[0].target == "/v1/chat/completions"
