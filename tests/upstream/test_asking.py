"""Short questions to a replica."""

import asyncio

import pytest

from tests.scripted import Scripted, Visit, scripted
from tests.waiting import until
from vllm_gateway.clock import SystemClock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import Replica


def replica_at(server: Scripted) -> Replica:
    """Return the replica that a scripted server is."""
    return Pool([Upstream(url=server.url)], clock=SystemClock(), connect_s=1).replicas[0]


async def echo(visit: Visit) -> None:
    """Answer every request with itself."""
    while True:
        await visit.say_json(await visit.request(), "418 I'm a Teapot")


async def test_status_headers_and_body_come_back_whatever_they_are() -> None:
    """A body is announced as JSON with its length; a question without one has neither."""
    async with scripted(echo) as server:
        replica = replica_at(server)
        status, headers, told = await ask(replica, b"POST", "/tokenize", b'{"a": 1}')
        head = told.lower()
        assert status == 418
        assert (b"content-type", b"application/json") in headers
        assert told.startswith(b"POST /tokenize HTTP/1.1\r\n")
        assert b"\r\ncontent-type: application/json\r\n" in head
        assert told.endswith(b'Content-Length: 8\r\n\r\n{"a": 1}')
        told = (await ask(replica, b"GET", "/health")).body
        assert told.startswith(b"GET /health HTTP/1.1\r\n")
        assert b"content-" not in told.lower()
        assert len(server.visits) == 1


async def test_a_question_may_carry_a_callers_key() -> None:
    """In place of the gateway's own."""
    async with scripted(echo) as server:
        upstream = Upstream.model_validate({"url": server.url, "api_key": "sk-own"})
        replica = Pool([upstream], clock=SystemClock(), connect_s=1).replicas[0]
        told = (await ask(replica, b"GET", "/v1/models", callers_key=b"sk-theirs")).body
        assert b"sk-theirs" in told
        assert b"sk-own" not in told
        assert b"Authorization: Bearer sk-own" in (await ask(replica, b"GET", "/v1/models")).body


async def test_a_connection_that_went_stale_costs_one_more_try() -> None:
    """The replica may have closed the connection just now; the question is asked once more on a new one."""

    async def once(visit: Visit) -> None:
        await visit.say_json(await visit.request())
        await visit.request()

    async with scripted(once) as server:
        replica = replica_at(server)
        assert (await ask(replica, b"GET", "/"))[0] == 200
        assert (await ask(replica, b"POST", "/", b"{}"))[0] == 200
        assert len(server.visits) == 2


async def test_a_new_connection_that_is_closed_is_not_tried_again() -> None:
    """The replica has heard the question, and does not answer."""

    async def hang_up(visit: Visit) -> None:
        await visit.request()

    async with scripted(hang_up) as server:
        with pytest.raises(ConnectionFault):
            await ask(replica_at(server), b"GET", "/")
        assert len(server.visits) == 1


async def test_an_answer_that_is_too_large_is_none() -> None:
    """It is not read to its end: its connection is closed."""

    async def flood(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 2000)
        await visit.until_closed()

    async with scripted(flood) as server:
        with pytest.raises(ConnectionFault, match="too large"):
            await ask(replica_at(server), b"POST", "/", b"{}", max_bytes=1000)
        await until(lambda: server.visits[0].closed_at is not None)


async def test_who_stops_waiting_closes_the_connection() -> None:
    """The replica need not work on for nobody, and the late answer meets no other question."""

    async def mute(visit: Visit) -> None:
        await visit.request()
        await visit.until_closed()

    async with scripted(mute) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask(replica_at(server), b"GET", "/")
        await until(lambda: server.visits[0].closed_at is not None)


async def test_nobody_listening_is_told_as_such() -> None:
    """No connection, no answer."""
    async with scripted(echo) as server:
        replica = replica_at(server)
    with pytest.raises(ConnectionFault):
        await ask(replica, b"GET", "/")
