"""The lane: runs an exchange for a caller; and the caller as an ASGI server tells of it.

The other way in, beneath the ASGI server, is `express`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol, TypeVar

from vllm_gateway.clock import Clock
from vllm_gateway.edge.announced import check_announced, new_id, own_id, too_large, too_slow
from vllm_gateway.edge.faults import write_fault
from vllm_gateway.edge.telling import head_told
from vllm_gateway.errors import BodyTooLarge, GatewayError
from vllm_gateway.exchange import CallerGone, Exchange, Flow, Head, Headers, Operation, Sink
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.tasks import Tasks
from vllm_gateway.trail import Trail
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.heartbeat import Heartbeat

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")

CLOSE_EXTENSION = "vllm_gateway.close"
"""Scope extension of our own server: its `close` closes the caller's connection behind what was written, which the
caller gets although it still sends; its `abort` at once; its `is_late` says that the time for the body is over, its
`is_old` that no shutdown had begun when the connection was made."""
HIGH_WATER_BYTES = 64 * 1024
"""So much may wait for a slow caller before the replica has to wait too."""
LINGER_S = 0.1
"""How long a cut connection stays open behind the last event: some clients throw away what arrives with the end."""
_CLOSING_S = 5.0
_DISCARD_BYTES = 64 * 1024 * 1024
_DISCARD_S = 5.0
"""How much of an oversized body is read and thrown away, so that its sender gets to read the refusal."""


class Outlet(Sink, Protocol):
    """A sink that a lane brings to its end."""

    exchange: Exchange | None
    """What it is the answer to, so that its head can tell how it came about."""
    is_gone: bool
    is_cut: bool
    """The reply is not to be completed."""

    async def flush(self, *, is_more_to_come: bool) -> None:
        """Send what is written."""
        ...

    async def finish(self) -> None:
        """Send the rest and bring the reply to its end, whichever it is to have."""
        ...


class Caller(Protocol):
    """Whoever sent a request: its body, and whether it is still there."""

    async def read_body(self) -> bytes:
        """Read the body to its end, and begin to watch whether the caller stays; if not, its task is cancelled.

        Raises:
            BodyTooLarge: it is over the limit; the rest of it was not read.
            CallerGone: the caller left before the end of it.
            MediaTypeWrong: it is announced as something other than JSON.
            RequestSlow: it did not come in time.
        """
        ...

    async def discard_body(self) -> None:
        """Read on for a while without keeping anything: a caller that is still sending does not read."""
        ...

    async def left(self) -> None:
        """Wait until a connection that was closed on this side is gone, for as long as its last bytes may need."""
        ...

    def forget(self) -> None:
        """Watch no longer."""
        ...


class Lane:
    """Runs exchanges."""

    def __init__(
        self, pipeline: Pipeline, *, max_body_bytes: int, heartbeat_s: float, deadlines: Deadlines, clock: Clock
    ) -> None:
        self._pipeline = pipeline
        self._heartbeat_s = heartbeat_s
        self._deadlines = deadlines
        self.max_body_bytes = max_body_bytes
        self._clock = clock
        self._loop = asyncio.get_running_loop()  # kept, because asking for it is a system call in Python 3.11
        self._tasks = Tasks("asgi lane")

    async def answer(
        self, operation: Operation, scope: Scope, receive: Receive, send: Send, *, target: str = ""
    ) -> None:
        """Answer one request of an ASGI server; `target` is what its path names."""
        sink = AsgiSink(scope, send, self._loop)
        caller = _Caller(scope, receive, sink, self._tasks, self.max_body_bytes)
        head = Head(scope["headers"], scope.get("query_string", b""))
        is_old = scope.get("extensions", {}).get(CLOSE_EXTENSION, {}).get("is_old", False)
        await self.run(operation, target, head, sink, caller, address=address_of(scope), is_expected=is_old)

    async def run(
        self,
        operation: Operation,
        target: str,
        head: Head,
        sink: Outlet,
        caller: Caller,
        *,
        address: str,
        is_expected: bool,
    ) -> None:
        """Answer one request; the task that runs this is cancelled when its caller leaves."""
        if head.own_id is None:
            head.own_id = own_id(head.headers)
        now = self._clock.now()
        exchange = Exchange(
            head.own_id or new_id(),
            operation,
            head.headers,
            caller.read_body,
            now,
            target,
            head.query,
            address=address,
            head=head,
            is_expected=is_expected,
            task=asyncio.current_task(self._loop),
            trail=Trail(self._clock.now, now),
        )
        sink.exchange = exchange
        is_audible = operation.has_heartbeat and self._heartbeat_s
        try:
            try:
                await (self._run_audibly(exchange, sink) if is_audible else self._pipeline.run(exchange, sink))
            except GatewayError as error:
                write_fault(error, exchange, sink)
                if isinstance(error, BodyTooLarge):
                    await sink.flush(is_more_to_come=True)
                    await caller.discard_body()
            await sink.finish()
            if sink.is_cut:
                await caller.left()
        except asyncio.CancelledError:
            if not sink.is_gone:
                raise
        finally:
            caller.forget()
            sink.exchange = None  # which knows the caller: what only holds each other stays in memory for a while

    async def _run_audibly(self, exchange: Exchange, sink: Outlet) -> None:
        """Answer, and say now and then that somebody is there."""
        audible = Heartbeat(exchange, sink, every_s=self._heartbeat_s, clock=self._clock)
        self._deadlines.add(audible)
        try:
            await self._pipeline.run(exchange, audible)
        finally:
            self._deadlines.remove(audible)

    async def close(self) -> None:
        """Watch no caller any more."""
        await self._tasks.close()


class AsgiSink:
    """Queues what is written, and lets the exchange's own task send it while it waits."""

    def __init__(self, scope: Scope, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self.exchange: Exchange | None = None
        self.is_gone = False
        self.is_started = False
        self.is_over = False
        """The reply is complete, or was cut off."""
        self.is_cut = False
        """The reply is not to be completed."""
        ways: Mapping[str, Any] = scope.get("extensions", {}).get(CLOSE_EXTENSION, {})
        self._close: Callable[[], None] | None = ways.get("close")
        self._abort: Callable[[], None] | None = ways.get("abort")
        self._send = send
        self.loop = loop
        self._head: Message | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._is_ended = False
        self._flow: Flow | None = None
        self._is_flow_paused = False
        self._news: asyncio.Future[None] | None = None
        """What the exchange's task waits for while there is nothing to send."""

    def feed_from(self, flow: Flow | None) -> None:
        """Name the flow that is to wait when the caller is slow."""
        self._flow = flow
        self._is_flow_paused = False

    def start(self, status: int, headers: Headers) -> None:
        """Queue the head of the reply."""
        self.is_started = True
        self._head = {"type": "http.response.start", "status": status, "headers": headers}

    def write(self, data: bytes) -> None:
        """Queue a part of the body."""
        self._parts.append(data)
        self._size += len(data)
        self._wake()
        if self._size > HIGH_WATER_BYTES and self._flow is not None and not self._is_flow_paused:
            self._is_flow_paused = True
            self._flow.pause()

    def end(self) -> None:
        """Complete the reply behind what is queued."""
        self._is_ended = True

    def cut(self) -> None:
        """Close the connection behind what is queued."""
        self.is_cut = True

    def drop(self) -> None:
        """Close the connection at once; the watch over the caller notices, and the exchange ends."""
        if self._abort is not None:
            self._abort()

    async def until(self, done: "asyncio.Future[T]") -> T:
        """Send what is written until `done`, and all that was written before it."""
        done.add_done_callback(self._wake)
        while not done.done():
            if self._parts:
                await self.flush(is_more_to_come=True)
            else:
                self._news = self.loop.create_future()
                await self._news
        return done.result()

    async def flush(self, *, is_more_to_come: bool) -> None:
        """Send what is queued."""
        if self._head is not None:
            head, self._head = self._head, None
            if self.exchange is not None:
                head["headers"] = [*head["headers"], *head_told(self.exchange)]
            await self._send(head)
        parts, self._parts, self._size = self._parts, [], 0
        if parts or not is_more_to_come:
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            await self._send({"type": "http.response.body", "body": body, "more_body": is_more_to_come})
        if self._is_flow_paused and self._flow is not None:
            self._is_flow_paused = False
            self._flow.resume()

    async def finish(self) -> None:
        """Send the rest and bring the reply to its end, whichever it is to have."""
        if self.is_gone or not self.is_started:
            return
        if self.is_cut:
            await self.flush(is_more_to_come=True)
            await asyncio.sleep(LINGER_S)
            self.is_over = True
            if self._close is not None:
                self._close()
        elif self._is_ended:
            self.is_over = True
            await self.flush(is_more_to_come=False)

    def _wake(self, _: object = None) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class _Caller:
    """The caller's side of one request: its body, and whether it is still there."""

    def __init__(self, scope: Scope, receive: Receive, sink: AsgiSink, tasks: Tasks, max_body_bytes: int) -> None:
        self._scope = scope
        self._headers: Headers = scope["headers"]
        self._receive = receive
        self._sink = sink
        self._tasks = tasks
        self._max_body_bytes = max_body_bytes
        self._watching: asyncio.Task[None] | None = None
        self._expects_continue = False
        self._is_more_to_come = True

    async def read_body(self) -> bytes:
        """See `Caller`."""
        self._check_headers()
        parts: list[bytes] = []
        size = 0
        while self._is_more_to_come:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._sink.is_gone = True
                raise CallerGone
            parts.append(message["body"])
            size += len(message["body"])
            self._is_more_to_come = message["more_body"]
            if size > self._max_body_bytes:
                raise too_large(self._max_body_bytes)
            if self._is_more_to_come:
                check_in_time(self._scope)
        task = asyncio.current_task(self._sink.loop)
        if task is not None:
            self._watching = self._tasks.start(self._watch(task), name="watch the caller")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def discard_body(self) -> None:
        """Read on for a while without keeping anything: a caller that is still sending does not read."""
        if self._expects_continue or not self._is_more_to_come:  # it waits for leave to send, or has sent it all
            return
        left = _DISCARD_BYTES
        try:
            async with asyncio.timeout(_DISCARD_S):
                while left > 0:
                    message = await self._receive()
                    if message["type"] == "http.disconnect" or not message["more_body"]:
                        return
                    left -= len(message["body"])
        except TimeoutError:
            return

    async def left(self) -> None:
        """Wait until a connection that was closed on this side is gone, for as long as its last bytes may need."""
        if self._watching is not None:
            await asyncio.wait([self._watching], timeout=_CLOSING_S)

    def forget(self) -> None:
        """Watch no longer."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None  # where it was cancelled it knows this caller

    async def _watch(self, task: "asyncio.Task[Any]") -> None:
        """Stop the exchange when the caller leaves; that closes the replica's connection too."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._sink.is_over:
            self._sink.is_gone = True
            task.cancel()

    def _check_headers(self) -> None:
        check_announced(self._headers)
        for name, value in self._headers:
            if name == b"content-length" and int(value) > self._max_body_bytes:
                self._expects_continue = any(each == b"expect" for each, _ in self._headers)
                raise too_large(self._max_body_bytes)


def check_in_time(scope: Scope) -> None:
    """Return while there is time left for the body of a request.

    Raises:
        RequestSlow: there is none.
    """
    if scope.get("extensions", {}).get(CLOSE_EXTENSION, {}).get("is_late"):
        raise too_slow()


def address_of(scope: Scope) -> str:
    """Return the address that a request came from: that of the connection, whatever headers say."""
    client = scope.get("client")
    return str(client[0]) if client else ""
