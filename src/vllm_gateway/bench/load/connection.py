"""Connections to one target: one request at a time on each, kept for the next one."""

import asyncio
from typing import Protocol, cast

import httptools
from typing_extensions import override

from vllm_gateway.bench.load.target import Target
from vllm_gateway.clock import SystemClock

_now = SystemClock.now


class Reader(Protocol):
    """Who reads an answer."""

    def begin(self, status: int, at: float) -> None:
        """Take the head."""

    def feed(self, data: bytes, at: float) -> None:
        """Take a part of the body."""

    def end(self, at: float) -> None:
        """Take the end of a body that is complete."""


class AnswerLost(Exception):
    """The connection ended before the answer did; `str()` of it says how."""


class Connection(asyncio.Protocol):
    """One connection; `ask` may be called again when it has returned and `is_usable`."""

    def __init__(self) -> None:
        self.is_usable = False
        self.uses = 0
        self.has_begun = False
        """A byte of the answer that is awaited, or was last, has come."""
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._reader: Reader
        self._answered: asyncio.Future[None] | None = None
        self._is_framed = False
        self._read_at = 0.0

    async def ask(self, request: bytes, reader: Reader) -> None:
        """Send a request and return when its answer is complete; raise `AnswerLost` when it will not be."""
        self._parser = httptools.HttpResponseParser(self)
        self._reader = reader
        self._is_framed = self.has_begun = False
        self.uses += 1
        answered = self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            await answered
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection at once."""
        self.is_usable = False
        self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # TCP and TLS give no other
        self.is_usable = True

    @override
    def data_received(self, data: bytes) -> None:
        self._read_at = _now()
        self.has_begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as mistake:
            self._lose(f"what came is not HTTP: {mistake}")
            self.close()

    def on_header(self, name: bytes, _: bytes) -> None:
        """Note whether the answer says itself where it ends."""
        self._is_framed = self._is_framed or name.lower() in {b"content-length", b"transfer-encoding"}

    def on_headers_complete(self) -> None:
        """Take the head."""
        self._reader.begin(self._parser.get_status_code(), self._read_at)

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self._reader.feed(data, self._read_at)

    def on_message_complete(self) -> None:
        """Take the end."""
        self.is_usable = self._parser.should_keep_alive()
        self._finish()

    @override
    def eof_received(self) -> None:
        if self.has_begun and not self._is_framed:
            self._finish()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_usable = False
        self._lose(str(exc) if exc else "closed before the answer was complete")

    def _finish(self) -> None:
        if self._answered is not None and not self._answered.done():
            self._reader.end(self._read_at)
            self._answered.set_result(None)

    def _lose(self, how: str) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(AnswerLost(how))


class Connections:
    """All connections to one target."""

    def __init__(self, target: Target) -> None:
        self.opened = 0
        self._target = target
        self._tls = target.tls
        self._idle: list[Connection] = []

    async def ask(self, request: bytes, reader: Reader) -> None:
        """Ask on an idle connection or a new one; raise `AnswerLost` or `OSError` when no whole answer comes.

        A server may close a connection at the moment at which it is used again: then another one is taken.
        """
        while True:
            connection = self._take() or await self._open()
            try:
                await connection.ask(request, reader)
            except AnswerLost:
                if connection.uses > 1 and not connection.has_begun:
                    continue
                raise
            if connection.is_usable:
                self._idle.append(connection)
            else:
                connection.close()
            return

    async def open(self, count: int) -> None:
        """Open connections before they are needed."""
        self._idle += [await self._open() for _ in range(count - len(self._idle))]

    def close(self) -> None:
        """Close those that are idle."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    async def _open(self) -> Connection:
        target = self._target
        self.opened += 1
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, target.host, target.port, ssl=self._tls)
        return connection
