"""Requests and answers as bytes, on a connection of one's own."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.sim.quick import LONG, Quick
from vllm_gateway import codec

GET = b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n"


def chat(**body: Any) -> bytes:  # noqa: ANN401 - any field
    """Return a chat request as bytes."""
    text = codec.dumps(LONG | body)
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    )
    return head % len(text) + text


@asynccontextmanager
async def wire(sim: Quick) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.sim.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one answer that tells its length; return head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    return head, await reader.readexactly(int(length[1]))
