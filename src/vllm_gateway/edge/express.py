"""The express lane: a request of a route that replicas answer, taken at the level of the connection.

There are no ASGI messages, and no task that watches the caller: the parser's callbacks collect the body, and what is
written goes to the socket within the callback that brought it.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from vllm_gateway.edge.announced import check_announced, too_large, too_slow
from vllm_gateway.edge.lane import HIGH_WATER_BYTES, LINGER_S, Lane
from vllm_gateway.edge.telling import lines_told
from vllm_gateway.exchange import CallerGone, Exchange, Flow, Head, Headers, Operation

T = TypeVar("T")

log = logging.getLogger(__name__)

_CLOSING_S = 5.0
_DISCARD_BYTES = 64 * 1024 * 1024
_DISCARD_S = 5.0
"""How much of an oversized body is read and thrown away, so that its sender gets to read the refusal."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_DEFECT = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n"
    b"connection: close\r\n\r\nInternal Server Error"
)
_STATUS_LINE = {status: line.rstrip() for status, line in STATUS_LINE.items()}
_header = b": ".join
_CLOSE = (b"connection", b"close")
_CHUNKED = (b"transfer-encoding", b"chunked")


class Way(NamedTuple):
    """Where a request goes that need not pass the ASGI application."""

    operation: Operation
    target: str
    """What the path names."""
    lane: Lane


FindWay = Callable[[bytes, Headers], Way | None]
"""Returns where a POST to a target goes that need not pass the ASGI application; None: it has to."""


def no_way(_: bytes, __: Headers) -> Way | None:
    """Have every request pass the ASGI application."""
    return None


class Connection(Protocol):
    """What a request asks of the connection that it came on."""

    transport: asyncio.Transport
    flow: FlowControl
    loop: asyncio.AbstractEventLoop
    address: str
    """The caller's network address."""
    is_old: bool
    """It was made before the shutdown began."""

    def server_headers(self) -> Headers:
        """Return the headers that every reply of the server has."""
        ...

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        ...

    def close_gently(self) -> None:
        """Close behind what was written, which the caller gets although it still sends."""
        ...


class ExpressCall:
    """One request: its body, its caller, and the sink of its answer.

    To its connection it looks like uvicorn's own cycle, as far as a connection looks at that.
    """

    exchange: Exchange | None = None
    keep_alive = True
    waits_for_leave = False
    """The caller does not send the body before it is told to."""
    is_gone = False
    is_started = False
    is_cut = False
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    is_late = False
    """The time for the body is over."""
    _size = 0
    _most_bytes = HIGH_WATER_BYTES
    """So much of the body may come before it is wanted."""
    _running: "asyncio.Task[None] | None" = None
    _news: "asyncio.Future[None] | None" = None
    """What is waited for while more of the body is wanted, or the end of the connection."""
    _task: "asyncio.Task[Any] | None" = None
    """What is cancelled when the caller leaves."""
    _flow: Flow | None = None
    _head: tuple[int, Headers] | None = None
    _is_chunked = False
    _is_ended = False
    _held_bytes = 0

    def __init__(self, connection: Connection, way: Way, head: Head) -> None:
        """Take a request whose head was read."""
        self.head = head
        self._connection = connection
        self._transport = connection.transport
        self._loop = connection.loop
        self._way = way
        self._max_body_bytes = way.lane.max_body_bytes
        self._parts: list[bytes] = []
        self._held: list[bytes] = []
        """An answer of known length waits for its end: then it leaves in one piece."""

    def begin(self, tasks: "set[asyncio.Task[None]]") -> None:
        """Have it answered by a task of its own, which is kept among `tasks`."""
        self._running = self._loop.create_task(self.run())  # its server looks after it
        self._tasks = tasks
        tasks.add(self._running)

    async def run(self) -> None:
        """Answer it, whatever happens."""
        operation, target, lane = self._way
        try:
            if self._connection.flow.write_paused and not await self._is_read():
                return
            await lane.run(
                operation,
                target,
                self.head,
                self,
                self,
                address=self._connection.address,
                is_expected=self._connection.is_old,
            )
        except Exception:  # the last line: nothing above would tell anybody
            log.exception("a request was not answered")
            if not self.is_started:
                self._transport.write(_DEFECT)
        finally:
            if not self.response_complete:
                self._transport.close()
            if self._running is not None:
                self._tasks.discard(self._running)

    async def _is_read(self) -> bool:
        """Wait until the caller takes the answers before this one, or has left; return whether it is still there."""
        await self._connection.flow.drain()
        return not self.disconnected

    # what the connection tells

    @property
    def message_event(self) -> "ExpressCall":
        """What is told that something has changed."""
        return self

    def set(self) -> None:
        """Look what has changed: the body has come to its end, or its time has, or the caller left."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
        if self.disconnected and self._task is not None:
            self.is_gone = True
            self._task.cancel()
            self._task = None

    def take_whole(self, body: bytes) -> None:
        """Take a body that came with the head."""
        self._parts.append(body)
        self._size = len(body)
        self.more_body = False

    def take(self, part: bytes) -> None:
        """Take a part of the body."""
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._most_bytes:
            self._connection.flow.pause_reading()
        if self._news is not None:
            self.set()

    def pause_writing(self) -> None:
        """Have the replica wait: the caller does not take what is sent."""
        if self._flow is not None:
            self._flow.pause()

    def resume_writing(self) -> None:
        """Have the replica go on."""
        if self._flow is not None:
            self._flow.resume()

    # as a caller

    async def read_body(self) -> bytes:
        """See `edge.lane.Caller`."""
        if not self.head.is_announced_well:
            check_announced(self.head.headers)
            self.head.is_announced_well = True
        if self.more_body:
            await self._read_on()
        if self.disconnected:
            self.is_gone = True
            raise CallerGone
        if self._size > self._max_body_bytes:
            raise too_large(self._max_body_bytes)
        self._task = self._running
        self._connection.flow.resume_reading()  # whoever does not read does not see the caller leave
        parts, self._parts = self._parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _read_on(self) -> None:
        """Wait for the rest of the body, unless it is or was announced to be too large."""
        for name, value in self.head.headers:
            if name == b"content-length" and int(value) > self._max_body_bytes:
                raise too_large(self._max_body_bytes)
        self._most_bytes = self._max_body_bytes
        while self.more_body and not self.disconnected and self._size <= self._max_body_bytes:
            await self._more()
            self._check_time()

    async def discard_body(self) -> None:
        """Read on for a while without keeping anything: a caller that is still sending does not read."""
        if self.waits_for_leave:
            return
        self._most_bytes = self._size + _DISCARD_BYTES
        try:
            async with asyncio.timeout(_DISCARD_S):
                while self.more_body and not self.disconnected and self._size < self._most_bytes:
                    self._parts.clear()
                    await self._more()
        except TimeoutError:
            return

    async def left(self) -> None:
        """Wait until a connection that was closed on this side is gone, for as long as its last bytes may need."""
        try:
            async with asyncio.timeout(_CLOSING_S):
                while not self.disconnected:
                    await self._next()
        except TimeoutError:
            return

    def forget(self) -> None:
        """Watch no longer."""
        self._task = None

    def _check_time(self) -> None:
        if self.more_body and self.is_late:
            raise too_slow()

    async def _more(self) -> None:
        """Wait for more of the body, or for a reason not to."""
        if self.waits_for_leave:
            self.waits_for_leave = False
            self._transport.write(_CONTINUE)
        self._connection.flow.resume_reading()
        await self._next()

    async def _next(self) -> None:
        self._news = self._loop.create_future()
        await self._news
        self._news = None

    # as a sink

    def feed_from(self, flow: Flow | None) -> None:
        """Name the flow that is to wait when the caller is slow."""
        self._flow = flow
        if flow is not None and self._connection.flow.write_paused:
            flow.pause()

    def start(self, status: int, headers: Headers) -> None:
        """Make the head; it leaves with what comes next."""
        self.is_started = self.response_started = True
        headers = self._connection.server_headers() + headers
        names = dict(headers)
        if self.waits_for_leave and self.more_body:
            self.keep_alive = False  # nobody can know whether the body still comes, or the next request
        if b"connection" in names:  # all that we ever say there is that it will be closed
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append(_CLOSE)
        self._is_chunked = b"content-length" not in names
        if self._is_chunked:
            headers.append(_CHUNKED)
        self._head = status, headers

    def write(self, data: bytes) -> None:
        """Send a part of a stream at once; keep a part of an answer of known length, as long as that is small."""
        if self._is_chunked:
            if data and not self.is_gone:
                chunk = b"%x\r\n%b\r\n" % (len(data), data)
                self._transport.write(chunk if self._head is None else self._take_head() + chunk)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HIGH_WATER_BYTES:
            self._send_held()

    def end(self) -> None:
        """Complete the reply when the exchange is over."""
        self._is_ended = True

    def cut(self) -> None:
        """Close the connection behind what was written."""
        self.is_cut = True

    def drop(self) -> None:
        """Close the connection at once; the exchange ends with it."""
        self._transport.abort()

    def until(self, done: "asyncio.Future[T]") -> "asyncio.Future[T]":
        """Wait for `done`; what is written leaves by itself."""
        return done

    # as the outlet of a lane

    async def flush(self, *, is_more_to_come: bool) -> None:  # noqa: ARG002 - the end is `finish`
        """Send what is kept."""
        self._send_held()

    async def finish(self) -> None:
        """Send the rest and bring the reply to its end, whichever it is to have."""
        if self.is_gone or not self.is_started:
            return
        if self.is_cut:
            self._send_held()
            await asyncio.sleep(LINGER_S)
            self._task = None
            self._connection.close_gently()
        elif self._is_ended:
            self._task = None
            if self._is_chunked:
                self._held.append(_LAST_CHUNK)
            self._send_held()
            self.response_complete = True
            if not self.keep_alive and self.more_body:
                self._connection.close_gently()
            elif not self.keep_alive:
                self._transport.close()
            self._connection.on_response_complete()

    def _take_head(self) -> bytes:
        """Return the head if it has not left yet, with what is known by now of how the answer came about."""
        if self._head is None:
            return b""
        (status, headers), self._head = self._head, None
        return head_of(status, headers, b"" if self.exchange is None else lines_told(self.exchange))

    def _send_held(self) -> None:
        head = self._take_head()
        held, self._held, self._held_bytes = self._held, [], 0
        if (head or held) and not self.is_gone:
            self._transport.write(b"".join([head, *held]))


def head_of(status: int, headers: Headers, lines: bytes = b"") -> bytes:
    """Return the head of a reply; it ends with `lines` that the gateway made itself.

    Raises:
        ValueError: a header holds the end of a line, which would let it say more than one header.
    """
    told = [_STATUS_LINE[status], *map(_header, headers), b""]
    head = b"\r\n".join(told)
    ends = len(told) - 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends:
        raise ValueError("a header of the reply is more than one line")
    return b"%b%b\r\n" % (head, lines)
