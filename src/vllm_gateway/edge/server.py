"""The server under the door: uvicorn, with a bound on heads, a way to cut a connection, and a drain before the end."""

import asyncio
import contextlib
import re
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from vllm_gateway import codec
from vllm_gateway.edge.lane import CLOSE_EXTENSION

LINGER_S = 1.0
"""How long a refused connection is still read from: closing while the other side writes would lose the refusal."""
_MOST_WAITING = 16
"""Requests of one connection that may wait for the one before; with more, it is not read from, as uvicorn does."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_UPGRADE = re.compile(rb"\nupgrade[ \t]*:", re.IGNORECASE)


class BoundedProtocol(HttpToolsProtocol):
    """One connection of a caller: uvicorn's, with a bound on the head of a request; by itself it has none."""

    max_head_bytes = 65_536

    _head_bytes = 0
    """Read since the last request ended; body bytes of the same read may be among them."""
    _is_in_head = True
    _is_head_too_large = False
    _is_refused = False
    """The last answer of this connection was sent; what still comes in is thrown away."""
    _running: RequestResponseCycle | None = None
    """The request that is being answered; uvicorn itself remembers only the one that came last."""

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            # Java's client offers HTTP/2 with every first request. We may ignore that (RFC 9110, 7.8), but the parser
            # would take the body for another protocol's.
            head, blank, body = data.partition(b"\r\n\r\n")
            data = _UPGRADE.sub(b"\nx-upgrade:", head) + blank + body
        super().data_received(data)
        if self._is_in_head and self._head_bytes > self.max_head_bytes and not self._is_refused:
            self._is_head_too_large = True
            self.send_400_response("")

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CLOSE_EXTENSION: {"close": self.transport.close, "abort": self.transport.abort}}

    @override
    def on_headers_complete(self) -> None:
        if self._head_bytes > self.max_head_bytes and self._size_of_head() > self.max_head_bytes:
            self._is_head_too_large = True
            raise ValueError("head too large")  # stops the parser, which calls send_400_response
        self._is_in_head = False
        super().on_headers_complete()
        if 0 < len(self.pipeline) <= _MOST_WAITING:
            self.flow.resume_reading()  # whoever does not read does not see the caller leave

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_head = True
        self._head_bytes = 0

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._abandon()

    @override
    def send_400_response(self, msg: str) -> None:
        """Answer what never became a request, and close. Its dialect is not known; OpenAI's is the most common."""
        if self.transport.is_closing():
            return
        if self._abandon():
            self._is_refused = True
            self.transport.close()  # in the middle of an answer another one would be taken for a part of it
            return
        status, phrase, code = 400, "Bad Request", "invalid_http"
        if self._is_head_too_large:
            status, phrase, code = 431, "Request Header Fields Too Large", "headers_too_large"
            msg = f"The head of the request is larger than the {self.max_head_bytes} bytes that are allowed."
        error = {"message": msg, "type": "invalid_request_error", "param": None, "code": code}
        body = codec.dumps({"error": error})
        head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._is_refused = True
        self.loop.call_later(LINGER_S, self.transport.close)

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _abandon(self) -> bool:
        """Stop answering: tell the running request that its caller is gone. Return whether an answer had begun."""
        cycle = self._running
        if cycle is None or cycle.response_complete:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return bool(cycle.response_started)

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)


def bounded_protocol(*, max_head_bytes: int) -> type[asyncio.Protocol]:
    """Return the protocol with another bound; uvicorn makes its instances itself, so the bound goes into the class."""
    return type("BoundedProtocol", (BoundedProtocol,), {"max_head_bytes": max_head_bytes})


class Stop:
    """Whether, and how often, the process was asked to stop."""

    def __init__(self) -> None:
        self.times = 0

    def ask(self) -> None:
        """Ask: once to stop, twice not to wait for anything."""
        self.times += 1

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT ask. Unlike uvicorn's way, a stop on request is a success and no death by signal."""
        before: dict[signal.Signals, Any] = {each: signal.signal(each, lambda *_: self.ask()) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


class Server(uvicorn.Server):
    """A server that, asked to stop, first finishes what is under way, while it still answers probes."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        stop: Stop,
        drain: Callable[[Callable[[], bool]], Awaitable[None]],
        greet: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._stop = stop
        self._drain = drain
        self._greet = greet

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._greet()

    @override
    async def on_tick(self, counter: int) -> bool:
        """Look whether it is time to stop."""
        return await super().on_tick(counter) or self._stop.times > 0

    @override
    async def main_loop(self) -> None:
        """Serve until asked to stop, then until the drain is over."""
        await super().main_loop()
        await self._drain(lambda: self._stop.times > 1)
        self.force_exit = self._stop.times > 1
        asyncio.get_running_loop().call_later(LINGER_S, self._drop_connections)

    def _drop_connections(self) -> None:
        """Close what is still open after the end: somebody who does not read would hold it up."""
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `Stop`: they may come before there is a server."""
        yield
