"""The sim's HTTP/1.1 server: what uvicorn puts on the wire in front of a vLLM, with the transport within reach.

Faults need the transport (a reset, a stall, half an event), which is why this is not an ASGI server.
"""

import asyncio
import socket
import struct
import sys
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Protocol, cast

import httptools
from typing_extensions import override

from vllm_gateway.clock import Clock
from vllm_gateway.sim.call import STATUS_LINES, Call
from vllm_gateway.sim.journal import ConnectionSeen, Headers, Journal

_LINGER_ZERO = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Answerer(Protocol):
    """Who is asked."""

    def arriving(self, call: Call) -> None:
        """Look at a call whose headers are complete."""
        ...

    def answer(self, call: Call) -> None:
        """Answer a call whose body is complete, now or later."""
        ...


@dataclass(slots=True, eq=False)
class Server:
    """What all connections share."""

    answerer: Answerer
    journal: Journal
    clock: Clock
    keep_alive_s: float
    open: set["Connection"] = field(default_factory=set)
    _second: int = -1
    _lines: bytes = b""

    def common_lines(self) -> bytes:
        """Return the header lines that every answer begins with, made once a second."""
        wall_s = self.clock.wall()
        if int(wall_s) != self._second:
            self._second = int(wall_s)
            date = formatdate(wall_s, usegmt=True).encode()
            self._lines = b"date: %b\r\nserver: vllm-gateway-sim\r\n" % date
        return self._lines


class Connection(asyncio.Protocol):
    """One caller's connection; requests that arrive together are answered one after the other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._idle: asyncio.TimerHandle | None = None
        self._seen: ConnectionSeen
        self._queue: deque[Call] = deque()
        self._ready: set[Call] = set()
        self._arriving: Call | None = None
        self._target = b""
        self._headers: Headers = []
        self._body: list[bytes] = []

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.server.open.add(self)
        self._seen = self.server.journal.connection_opened(self.server.clock.now())

    @override
    def data_received(self, data: bytes) -> None:
        self._stop_idle()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            self._refuse()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_idle()
        server, now = self.server, self.server.clock.now()
        server.open.discard(self)
        server.journal.connection_closed(self._seen, now, "caller")
        calls, self._queue = self._queue, deque()
        for call in calls:
            call.mute()
            server.journal.request_ended(call.seen, now, is_gone=True)
            if call.work is not None:
                call.work.stop()

    def on_message_begin(self) -> None:
        """Take what httptools finds: a new request."""
        self._target = b""
        self._headers = []
        self._body = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header as it is."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin a call."""
        parser, server = self._parser, self.server
        is_http11 = parser.get_http_version() == "1.1"
        method = parser.get_method().decode("ascii")
        target = self._target.decode("latin-1")
        seen = server.journal.request_began(self._seen, method, target, self._headers, server.clock.now())
        call = Call(self, seen, keep_alive=is_http11 and parser.should_keep_alive(), is_chunked=is_http11)
        self._arriving = call
        self._queue.append(call)
        server.answerer.arriving(call)
        if (seen.header("expect") or "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Let the call be answered, unless others come first."""
        call, self._arriving = self._arriving, None
        if call is None:
            return
        self.server.journal.body_came(call.seen, b"".join(self._body), self.server.clock.now())
        if self._queue and self._queue[0] is call:
            self.server.answerer.answer(call)
        else:
            self._ready.add(call)

    def now(self) -> float:
        """Return the clock's time."""
        return self.server.clock.now()

    def common_lines(self) -> bytes:
        """Return the header lines that every answer begins with."""
        return self.server.common_lines()

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def call_ended(self, call: Call) -> None:
        """Go on with the next request, or wait for one, or close."""
        self.server.journal.request_ended(call.seen, self.server.clock.now(), is_gone=False)
        if call in self._queue:
            self._queue.remove(call)
        if self.transport.is_closing():
            return
        if not call.keep_alive:
            self.close("sim")
        elif self._queue:
            following = self._queue[0]
            if following in self._ready:
                self._ready.discard(following)
                self.server.answerer.answer(following)
        elif self.server.keep_alive_s:
            self._idle = asyncio.get_running_loop().call_later(self.server.keep_alive_s, self.close, "sim")

    def close(self, by: str) -> None:
        """Close after what was written has been sent (a FIN)."""
        self._seen.closed_by = self._seen.closed_by or by
        self.transport.close()

    def reset(self) -> None:
        """Close at once, so that the caller sees a reset (an RST)."""
        self._seen.closed_by = "fault"
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.transport.abort()

    def stop_reading(self, seconds: float | None) -> None:
        """Leave what the caller sends in its socket, for so long or for ever."""
        self.transport.pause_reading()
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self.transport.resume_reading)

    def _stop_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _refuse(self) -> None:
        text = b"Invalid HTTP request received."
        lines = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
            text
        )
        self.write(STATUS_LINES[400] + self.server.common_lines() + lines + text)
        self.close("sim")
