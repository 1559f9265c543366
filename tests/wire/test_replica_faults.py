"""Replicas that fail in the ways that networks and programs do, and what their callers notice of it."""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from tests.gateway import Gateway, gateway
from tests.scripted import MODEL, Play, Scripted, Visit, as_replica, scripted
from tests.waiting import until
from tests.wire.sims import asked, fast, fleet
from vllm_gateway.outcomes import Outcome
from vllm_gateway.sim import RunningSim
from vllm_gateway.upstream.health import State

CHAT = "/v1/chat/completions"
ASKING = {"model": "sim-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "temperature": 0}
STREAM = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
TOKEN = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"."},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def go_first(door: Gateway, replica: RunningSim | Scripted) -> None:
    """Make a replica the next one to be asked."""
    address = replica.url.removesuffix("/v1").split("//")[1].encode()
    for each in door.parts.pool.replicas:
        each.turn = 0 if address in each.request(b"GET", "/") else 1


@contextmanager
def black_hole(port: int) -> Iterator[None]:
    """Take a port and never answer who connects: the line of a listener that nobody serves is full."""
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(socket.socket())
        hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        hole.bind(("127.0.0.1", port))
        hole.listen(0)
        for _ in range(16):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(("127.0.0.1", port))
        yield


@pytest.mark.parametrize("way", ["refused", "black hole"])
async def test_a_replica_that_cannot_be_connected_to_costs_no_more_than_its_time(way: str) -> None:
    """F-01: another replica answers, after the time for a connection at the latest; a refusal is heard at once."""
    connect_s = 0.5 if way == "black hole" else 600
    async with (
        fleet(fast(), fast(), timeouts={"connect_s": connect_s}) as (sims, door),
        contextlib.AsyncExitStack() as stack,
    ):
        go_first(door, sims[0])
        sims[0].stop_listening(cut=True)
        if way == "black hole":
            stack.enter_context(black_hole(sims[0].port))
        began = time.perf_counter()
        reply = await door.http.post(CHAT, json=ASKING)
        assert reply.status_code == 200
        assert door.parts.ledger.outcomes == {Outcome.OK_RETRIED: 1}
        assert way == "refused" or time.perf_counter() - began > connect_s * 0.9


async def test_error_events_count_against_a_replica() -> None:
    """F-04: an error event before the first token has another replica answer, and after three that one is out."""
    async with fleet(fast(), fast(), retry={"wait_s": 0}) as (sims, door):
        sims[0].faults.add(["error@0"])
        for _ in range(3):
            go_first(door, sims[0])
            reply = await door.http.post(CHAT, json={**ASKING, "stream": True})
            assert (reply.status_code, reply.text.count('"error"')) == (200, 0)
            assert reply.text.endswith("data: [DONE]\n\n")
        assert door.parts.ledger.outcomes == {Outcome.OK_RESUMED: 3}  # its role had been told
        assert [replica.health.state for replica in door.parts.pool.replicas] == [State.OPEN, State.CLOSED]


@asynccontextmanager
async def asleep(*said: bytes, comments: bool = False, **timeouts: float) -> AsyncIterator[tuple[Scripted, Gateway]]:
    """Run a replica that says this and then nothing, or nothing but comments, and a gateway before it."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        await visit.say_events(*said)
        while comments:
            await visit.say_events(b": keep-alive\n\n")
            await asyncio.sleep(0.05)
        await visit.until_closed()

    async with scripted(as_replica(answer)) as replica, gateway(replica.url, timeouts=timeouts) as door:
        yield replica, door


async def heard(door: Gateway) -> tuple[str, float]:
    """Return what comes of a stream, and how long that took."""
    began, text = time.perf_counter(), b""
    async with door.http.stream("POST", CHAT, json=STREAM) as reply:
        with contextlib.suppress(Exception):  # however it breaks off
            async for data in reply.aiter_raw():
                text += data
    return text.decode(), time.perf_counter() - began


@pytest.mark.parametrize("said", [(), (TOKEN,)], ids=["the head", "a token"])
async def test_silence_behind_a_head_is_found_out_in_time(said: tuple[bytes, ...]) -> None:
    """F-06: when the time for silence is over the caller is told, and the replica is free."""
    limit_s = 0.4
    async with asleep(*said, first_token_s=limit_s, idle_s=limit_s) as (replica, door):
        text, took_s = await heard(door)
        assert took_s >= limit_s
        assert text.count('"error"') == 1
        assert "[DONE]" not in text
        await until(lambda: any(visit.closed_at for visit in replica.visits))
        assert door.parts.ledger.outcomes == {Outcome.TIMEOUT: 1}


async def test_comments_are_a_sign_of_life_and_do_not_last_for_ever() -> None:
    """F-06: a replica that says that it is at work is waited for, up to the time for the whole answer."""
    async with asleep(TOKEN, comments=True, first_token_s=0.6, idle_s=0.6, total_s=1) as (replica, door):
        text, took_s = await heard(door)
        assert took_s >= 1
        assert text.count('"error"') == 1
        assert "[DONE]" not in text
        await until(lambda: any(visit.closed_at for visit in replica.visits))
        assert door.parts.ledger.outcomes == {Outcome.TIMEOUT: 1}


GARBAGE = {
    "no JSON": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + TOKEN + b"data: {{{\n\n" + LAST + DONE,
    "NUL": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + b"\0" * 5000,
    "NUL for an event": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + TOKEN + b"\0\0\n\n",
    "no HTTP": b"\0" * 5000,
    "a page": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>",
    "interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000,
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000,
    "packed": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b",
}
"""What a replica may say in the place of an answer."""


def saying(answer: bytes) -> Play:
    """Return a replica that says this to whatever it is asked, and stays there."""

    async def say(visit: Visit, _: bytes) -> None:
        await visit.say(answer)
        await asyncio.sleep(0.05)
        if b"content-length" not in answer:
            visit.writer.write_eof()
        await visit.until_closed()

    return as_replica(say)


@pytest.mark.parametrize("kind", GARBAGE)
async def test_garbage_is_no_answer(kind: str) -> None:
    """F-07: what is no answer is an error, told as one, and its connection is not used again."""
    async with scripted(saying(GARBAGE[kind])) as replica, gateway(replica.url, probe={"every_s": 600}) as door:
        text, _ = await heard(door)
        assert '"error"' in text
        assert "[DONE]" not in text
        assert (
            sum(door.parts.ledger.outcomes[each] for each in (Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_TRUNCATED)) == 1
        )
        before = len(replica.visits)
        await heard(door)
        assert len(replica.visits) > before


async def test_a_connection_that_is_closed_just_when_it_is_used_is_no_error() -> None:
    """F-08: a replica closes its free connections after 20 ms, and requests come every 20 ms: 480 instead of 10,000."""
    keep_alive_s, callers, times = 0.02, 8, 60
    async with fleet(fast(keep_alive_s=keep_alive_s)) as ((sim,), door):

        async def keep_asking(seed: int) -> set[int]:
            chance, statuses = random.Random(seed), set()  # noqa: S311 - the same every time
            for _ in range(times):
                statuses.add((await door.http.post(CHAT, json=ASKING)).status_code)
                await asyncio.sleep(keep_alive_s + chance.uniform(-0.002, 0.001))
            return statuses

        assert await asyncio.gather(*map(keep_asking, range(callers))) == [{200}] * callers
        assert len(asked(sim)) == callers * times
        assert door.parts.ledger.outcomes == {Outcome.OK: callers * times}
        assert len({seen.connection.number for seen in sim.log.requests}) > 10 * callers
