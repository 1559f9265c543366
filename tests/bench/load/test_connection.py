"""Connections."""

import asyncio

import pytest

from tests.scripted import Visit, scripted
from tests.waiting import until
from vllm_gateway.bench.load.connection import AnswerLost, Connections
from vllm_gateway.bench.load.target import Target


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.times: list[float] = []
        self.is_ended = False

    def begin(self, status: int, at: float) -> None:
        """Keep the status."""
        self.status = status
        self.times.append(at)

    def feed(self, data: bytes, at: float) -> None:
        """Keep the body."""
        self.body += data
        self.times.append(at)

    def end(self, at: float) -> None:
        """Keep the end."""
        self.is_ended = True
        self.times.append(at)


def connections(port: int) -> tuple[Connections, bytes]:
    """Return connections to a port of this machine, and a request for them."""
    target = Target("127.0.0.1", port)
    return Connections(target), target.request("POST", "/v1/x", b"{}")


async def test_a_connection_is_used_again() -> None:
    """One after the other on one connection, at once on several."""

    async def play(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say_json(b'{"a":1}')

    async with scripted(play) as server:
        pool, request = connections(server.port)
        heard = [Heard() for _ in range(6)]
        await pool.ask(request, heard[0])
        await pool.ask(request, heard[1])
        assert len(server.visits) == pool.opened == 1
        await asyncio.gather(*(pool.ask(request, each) for each in heard[2:]))
        assert len(server.visits) == pool.opened == 4
        pool.close()
    assert {(each.status, each.body, each.is_ended) for each in heard} == {(200, b'{"a":1}', True)}
    assert all(each.times == sorted(each.times) for each in heard)


async def test_connections_can_be_opened_before() -> None:
    """So that opening them is no part of what is measured."""

    async def play(visit: Visit) -> None:
        await visit.until_closed()

    async with scripted(play) as server:
        pool, _ = connections(server.port)
        await pool.open(3)
        await until(lambda: len(server.visits) == 3)
        pool.close()


async def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    """A server may close an idle one at the very moment; nobody is to blame."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_json(b"{}")
        if visit.number == 1:
            await visit.request()  # and leaves without a word
        else:
            await visit.until_closed()

    async with scripted(play) as server:
        pool, request = connections(server.port)
        first, second = Heard(), Heard()
        await pool.ask(request, first)
        await pool.ask(request, second)
        assert (second.status, second.body) == (200, b"{}")
        assert len(server.visits) == 2
        pool.close()


@pytest.mark.parametrize("extra", [b"", b"x-left: 7\r\n"])
async def test_a_body_may_end_with_the_connection(extra: bytes) -> None:
    """Where the head does not say how long it is."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\n" + extra + b"connection: close\r\n\r\nabc")

    async with scripted(play) as server:
        pool, request = connections(server.port)
        heard = Heard()
        await pool.ask(request, heard)
        assert (heard.body, heard.is_ended) == (b"abc", True)


async def test_a_broken_answer_is_lost() -> None:
    """Before its first byte on a new connection, in its midst, or when it is no HTTP."""

    async def play(visit: Visit) -> None:
        await visit.request()
        if visit.number == 2:
            await visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        elif visit.number == 3:
            await visit.say(b"nonsense\r\n\r\n")

    async with scripted(play) as server:
        pool, request = connections(server.port)
        heard = [Heard() for _ in range(3)]
        for each in heard:
            with pytest.raises(AnswerLost):
                await pool.ask(request, each)
        assert [each.is_ended for each in heard] == [False] * 3
        assert len(server.visits) == 3


async def test_who_gives_up_closes() -> None:
    """So that the server stops its work."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.until_closed()

    async with scripted(play) as server:
        pool, request = connections(server.port)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pool.ask(request, Heard())
        await until(lambda: bool(server.visits) and server.visits[0].closed_at is not None)


async def test_nobody_there_is_an_error_of_the_system() -> None:
    """Which the caller of this tells apart from a lost answer."""
    pool, request = connections(1)
    with pytest.raises(OSError, match="refused"):
        await pool.ask(request, Heard())
