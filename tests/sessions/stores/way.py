"""The way to a server, which can be cut, closed, and made endless."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Way:
    """Passes bytes on between a store and its server."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._passes = asyncio.Event()
        self._passes.set()

    @property
    def url(self) -> str:
        """The server's address by this way."""
        user = f"{self._parts.username}@" if self._parts.username else ""
        return self._parts._replace(netloc=f"{user}127.0.0.1:{self._port}").geturl()

    async def open(self) -> None:
        """Take connections, always at the same port."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse new connections, and cut the others."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.sleep(0.01)

    def cut(self) -> None:
        """Cut all connections, as a server does that is started anew."""
        for writer in list(self._open):
            writer.transport.abort()

    def hold(self) -> None:
        """Let nothing pass."""
        self._passes.clear()

    def release(self) -> None:
        """Let everything pass that was held."""
        self._passes.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._open |= {writer, there[1]}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, there[1]))
                group.create_task(self._pump(there[0], writer))
        finally:
            self._open -= {writer, there[1]}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def way_to(url: str) -> AsyncIterator[Way]:
    """Open a way to the server at an address."""
    way = Way(url)
    await way.open()
    try:
        yield way
    finally:
        way.release()
        await way.close()
