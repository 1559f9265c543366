"""A replica that does exactly what a test says, byte by byte: for what a well-behaved one would never do."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Play = Callable[["Visit"], Awaitable[None]]


@dataclass
class Visit:
    """One connection that the gateway made."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    """Counted from 1."""
    closed_at: float | None = None
    """When the gateway was seen to have closed it."""

    async def request(self) -> bytes:
        """Read one request with its body; raise `IncompleteReadError` when the gateway closes instead."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return head + await self.reader.readexactly(length)

    async def say(self, data: bytes) -> None:
        """Write bytes at once."""
        self.writer.write(data)
        await self.writer.drain()

    async def say_json(self, body: bytes, status: str = "200 OK", extra: bytes = b"") -> None:
        """Write a whole JSON answer."""
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n".encode()
        await self.say(head + extra + b"\r\n" + body)

    async def say_events(self, *events: bytes, is_last: bool = False) -> None:
        """Write events as uvicorn does, each in a chunk of its own; the head must have been written."""
        for event in events:
            await self.say(b"%x\r\n%s\r\n" % (len(event), event))
        if is_last:
            await self.say(b"0\r\n\r\n")

    async def say_stream_head(self) -> None:
        """Write the head of a stream of events."""
        head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        await self.say(head)

    def reset(self) -> None:
        """Close with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Wait until the gateway closes, and note when."""
        while await self.reader.read(65536):
            pass
        self.closed_at = time.perf_counter()


@dataclass
class Scripted:
    """The replica's address, and who came."""

    port: int = 0
    visits: list[Visit] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address as `--upstream` takes it."""
        return f"http://127.0.0.1:{self.port}/v1"


@asynccontextmanager
async def scripted(play: Play) -> AsyncIterator[Scripted]:
    """Listen on a free port, and run `play` for every connection."""
    replica = Scripted()
    playing: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        playing.append(asyncio.current_task())
        visit = Visit(reader, writer, len(replica.visits) + 1)
        replica.visits.append(visit)
        try:
            await play(visit)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            visit.closed_at = visit.closed_at or time.perf_counter()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    replica.port = server.sockets[0].getsockname()[1]
    try:
        yield replica
    finally:
        server.close()
        for visit in replica.visits:
            visit.writer.transport.abort()
        for task in playing:
            if task is not None:
                task.cancel()


MODEL = "scripted"
MODELS_BODY = (
    b'{"object":"list","data":[{"id":"scripted","object":"model","created":1,"root":"scripted","max_model_len":64}]}'
)


def as_replica(answer: Callable[[Visit, bytes], Awaitable[None]], replica: Scripted | None = None) -> Play:
    """Return a play that answers probes by itself, and lets `answer` answer everything else."""

    async def play(visit: Visit) -> None:
        while True:
            request = await visit.request()
            if request.startswith(b"GET /health"):
                await visit.say_json(b"")
            elif request.startswith(b"GET /v1/models"):
                await visit.say_json(MODELS_BODY)
            elif request.startswith((b"GET /metrics", b"GET /version")):
                await visit.say_json(b"", "404 Not Found")
            else:
                if replica is not None:
                    replica.requests.append(request)
                await answer(visit, request)

    return play
