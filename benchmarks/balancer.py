"""A plain TCP balancer: new connections go to servers that say that they are ready, existing ones stay."""

import asyncio
import contextlib
import http.client
import logging
from collections.abc import Sequence
from typing import Self

from vllm_gateway.clock import SystemClock
from vllm_gateway.tasks import Tasks

log = logging.getLogger(__name__)

_PIECE_BYTES = 65_536
_PATIENCE_S = 120.0
"""How long a connection waits for a server that is ready."""
_PROBE = b"GET /readyz HTTP/1.1\r\nhost: balancer\r\nconnection: close\r\n\r\n"
_ANSWER_S = 5.0


class Balancer:
    """Relays bytes, and asks every server again and again whether it is ready.

    What a server said counts for `fresh_s` only. So a balancer that was held up asks again before it sends anything.
    """

    def __init__(self, ports: Sequence[int], *, every_s: float, fresh_s: float) -> None:
        self.sent = dict.fromkeys(ports, 0)
        """Connections that each server was given."""
        self.refused = 0
        """Connections that came when no server was ready, or whose server could not be reached."""
        self._every_s = every_s
        self._fresh_s = fresh_s
        self._ready_until = dict.fromkeys(ports, 0.0)
        self._tasks = Tasks("balancer")
        self._server: asyncio.Server | None = None
        self._turn = 0

    @property
    def ready(self) -> list[int]:
        """The servers that get new connections now."""
        now = SystemClock.now()
        return [port for port, until in self._ready_until.items() if until > now]

    @property
    def url(self) -> str:
        """Where it listens."""
        if self._server is None:
            raise RuntimeError("It does not listen.")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0, backlog=1024)
        for port in self._ready_until:
            self._tasks.start(self._keep_asking(port), name=f"ask {port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        await self._tasks.close()

    async def _keep_asking(self, port: int) -> None:
        while True:
            asked = SystemClock.now()
            self._ready_until[port] = asked + self._fresh_s if await _is_ready(port) else 0.0
            await asyncio.sleep(self._every_s)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give a connection to the server whose turn it is."""
        try:
            port = await self._next()
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, TimeoutError) as fault:
            log.warning("a connection came to nothing: %r", fault)
            self.refused += 1
            writer.transport.abort()
            return
        self.sent[port] += 1
        there = self._tasks.start(_pump(reader, other_writer), name="there")
        back = self._tasks.start(_pump(other_reader, writer), name="back")
        try:
            await asyncio.wait([there, back])
        finally:
            for end in (writer, other_writer):
                end.close()

    async def _next(self) -> int:
        async with asyncio.timeout(_PATIENCE_S):
            while not (ready := self.ready):  # noqa: ASYNC110 - a moment passes by itself
                await asyncio.sleep(self._every_s)
        self._turn += 1
        return ready[self._turn % len(ready)]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way; an end is passed on as what it was."""
    try:
        while data := await reader.read(_PIECE_BYTES):
            writer.write(data)
            await writer.drain()
        if not writer.is_closing():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


async def _is_ready(port: int) -> bool:
    """Ask once."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_PROBE)
                status = await reader.readline()
            finally:
                writer.close()
            return status.split()[1:2] == [b"%d" % http.client.OK]
    return False
