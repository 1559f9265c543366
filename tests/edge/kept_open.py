"""A connection to a gateway that stays open for one request after the other."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.gateway import Gateway
from tests.waiting import PATIENCE_S

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass
class Line:
    """The caller's end of it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes) -> bytes:
        """Send a request as it is, and return its whole answer."""
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> bytes:
        """Return the next answer, whose length its head must tell."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if length is None:
                raise AssertionError(f"an answer of unknown length: {head!r}")
            return head + await self.reader.readexactly(int(length[1]))


@asynccontextmanager
async def kept_open(door: Gateway) -> AsyncIterator[Line]:
    """Open a connection, and close it at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
