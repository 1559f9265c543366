"""The balancer of the benchmarks: who gets a connection, and who keeps one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.balancer import Balancer
from tests.waiting import until


class Server:
    """Says whether it is ready, and answers everything else with its name."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.is_ready = True
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer lines until the other side leaves."""
        while line := await reader.readline():
            if line.startswith(b"GET /readyz"):
                writer.write(b"HTTP/1.1 %d x\r\n\r\n" % (200 if self.is_ready else 503))
                break
            writer.write(self.name + b"\n")
        writer.close()


@asynccontextmanager
async def balanced() -> AsyncIterator[tuple[Balancer, Server, Server]]:
    """Run two servers, and a balancer that knows that both are ready."""
    one, two = Server(b"one"), Server(b"two")
    listeners = [await asyncio.start_server(each.answer, "127.0.0.1", 0) for each in (one, two)]
    for each, listener in zip((one, two), listeners, strict=True):
        each.port = listener.sockets[0].getsockname()[1]
    async with Balancer([one.port, two.port], every_s=0.01, fresh_s=5) as balancer:
        await until(lambda: len(balancer.ready) == 2)
        yield balancer, one, two
    for listener in listeners:
        listener.close()


class Line:
    """A connection through the balancer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, balancer: Balancer) -> "Line":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", int(balancer.url.rpartition(":")[2])))

    async def ask(self) -> bytes:
        """Ask who is there."""
        self.writer.write(b"who\n")
        return (await self.reader.readline()).strip()


async def test_connections_go_to_all_who_are_ready() -> None:
    """In turn."""
    async with balanced() as (balancer, one, two):
        lines = [await Line.to(balancer) for _ in range(4)]
        assert sorted([await line.ask() for line in lines]) == [b"one", b"one", b"two", b"two"]
        assert balancer.sent == {one.port: 2, two.port: 2}
        for line in lines:
            line.writer.close()


async def test_who_is_not_ready_gets_no_new_one_and_keeps_the_old() -> None:
    """A connection that exists stays where it is."""
    async with balanced() as (balancer, one, _):
        old = [await Line.to(balancer) for _ in range(2)]
        before = sorted([await line.ask() for line in old])
        one.is_ready = False
        await until(lambda: one.port not in balancer.ready)
        new = [await Line.to(balancer) for _ in range(4)]
        assert {await line.ask() for line in new} == {b"two"}
        assert sorted([await line.ask() for line in old]) == before == [b"one", b"two"]
        for line in (*old, *new):
            line.writer.close()


async def test_an_end_is_passed_on() -> None:
    """Whoever ends first, the other side sees it."""
    async with balanced() as (balancer, _, _):
        line = await Line.to(balancer)
        await line.ask()
        line.writer.write_eof()
        assert await line.reader.read() == b""
        line.writer.close()


async def test_one_that_does_not_listen_has_no_address() -> None:
    """It must be opened first."""
    with pytest.raises(RuntimeError):
        _ = Balancer([1], every_s=1, fresh_s=1).url
