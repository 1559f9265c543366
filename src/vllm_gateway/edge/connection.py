"""One connection of a caller, with bounds on what may be sent on it and on how long that may take."""

import asyncio
from typing import Any, ClassVar

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from vllm_gateway.edge import heads
from vllm_gateway.edge.again import MOST_TRIES, KnownHead, known_head
from vllm_gateway.edge.express import ExpressCall, FindWay, Way, no_way
from vllm_gateway.edge.flow import BoundedFlow
from vllm_gateway.edge.heads import HeadRefused
from vllm_gateway.edge.lane import CLOSE_EXTENSION
from vllm_gateway.edge.leave import Closing, without_leave
from vllm_gateway.edge.old_callers import without_chunks
from vllm_gateway.exchange import Head, Headers

LINGER_S = 1.0
"""How long a refused connection is still read from: closing while the other side writes would lose the refusal."""
_LOOK_S = 1.0
_CHUNK_BYTES = 16
"""What may be around the data of a chunk. More adds up, as do trailers, and may not be more than a head."""


class Connections(ServerState):
    """What uvicorn knows of all connections, and whether they are to go."""

    is_ending = False
    """Every answer that begins now is the last of its connection."""

    def end(self) -> None:
        """Let no connection outlive its next answer."""
        self.is_ending = True
        for connection in self.connections:
            if isinstance(connection, BoundedProtocol):
                connection.end()


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's connection, with bounds on the size and the time of what is sent.

    Time is measured only while a request is incomplete. One that comes in one piece, as most do, sets no timer.
    """

    max_head_bytes = 65_536
    head_s = 0.0
    """How long a head may take; 0 sets no limit."""
    body_s = 0.0
    """How long a body may take."""
    find_way: ClassVar[FindWay] = staticmethod(no_way)

    _head_bytes = 0
    """Read since the last request ended; body bytes of the same read may be among them."""
    _is_ascii = False
    """All that was read of the head is known to be."""
    _last_bytes = b""
    """Read last of a head that is incomplete: its end, or an offer, may lie across two reads."""
    _wrapping_bytes = 0
    """Read of a body that is not its data."""
    _is_begun = False
    """The first byte of a request was read, the last was not."""
    _is_in_head = True
    _is_1_0 = False
    _refusal: HeadRefused | None = None
    """Why what was read is not answered."""
    _is_refused = False
    """The last answer of this connection was sent; what still comes in is thrown away."""
    cycle: Any
    """The request that came last: uvicorn's, or an `ExpressCall`; None before the first."""
    _running: RequestResponseCycle | ExpressCall | None = None
    """The request that is being answered; uvicorn itself remembers only the one that came last."""
    _lateness: asyncio.TimerHandle | None = None
    _idle_since = 0.0
    """When the last answer ended, on the loop's clock."""
    _idleness: asyncio.TimerHandle | None = None
    """Looks now and then whether the connection is used."""
    _is_ending = False
    """The next answer is the last one."""
    address = ""
    """The caller's network address."""
    is_old = True
    """It was there before the shutdown began."""
    _known: KnownHead | None = None
    """A head that came before; a request that has it again needs no parser."""
    _tries_left = MOST_TRIES
    """How many heads more are kept before one comes again: with some callers none ever does."""

    def end(self) -> None:
        """Close behind the next answer, and say so in its head; one that has begun is followed by another."""
        self._is_ending = True
        if self._running is not None and not self._running.response_started:
            self._running.keep_alive = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self.flow = BoundedFlow(transport, self.pipeline)
        self.address = str(self.client[0]) if self.client else ""
        if isinstance(self.server_state, Connections) and self.server_state.is_ending:
            self._is_ending, self.is_old = True, False
        self._watch_time()

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_refused or (self._known is not None and self._takes_again(self._known, data)):
            return
        before, is_first = self.cycle, not self._is_begun
        if self._is_in_head:
            self._head_bytes += len(data)
            data = self._read_head(data)
        else:
            self._wrapping_bytes += len(data)
        super().data_received(data)
        if self._is_refused:
            return
        self._wrapping_bytes = max(self._wrapping_bytes, 0)
        if (self._head_bytes if self._is_in_head else self._wrapping_bytes) > self.max_head_bytes:
            self._refuse(heads.too_large(self.max_head_bytes))
        elif self._lateness is None and (self._is_begun or self._is_idle()):
            self._watch_time()
        if is_first and self.cycle is not before and self._tries_left:
            self._remember(data)
        if self._is_begun and self._is_in_head:
            self._last_bytes = (self._last_bytes + data[-heads.MOST_KEPT_BYTES :])[-heads.MOST_KEPT_BYTES :]

    @override
    def on_message_begin(self) -> None:
        """Begin a request; what ASGI wants of it is put together when it is known that it goes there."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._is_begun = True

    @override
    def on_headers_complete(self) -> None:
        try:
            self._check_head()
        except HeadRefused as refusal:
            self._refusal = refusal
            raise  # stops the parser, which calls send_400_response
        self._is_in_head = False
        if self._lateness is not None:
            self._forget_time()
        way = self._find_way()
        if way is None:
            self._make_scope()
            super().on_headers_complete()
        else:
            call = ExpressCall(self, way, Head(self.headers, self.url.partition(b"?")[2]))
            call.keep_alive = self.parser.should_keep_alive()
            call.waits_for_leave = self.expect_100_continue
            self._take(call)
        self.headers = []  # trailers come here; they say nothing that anybody wants to know
        if self.pipeline:
            self.flow.resume_reading()  # whoever does not read does not see the caller leave

    @override
    def on_body(self, body: bytes) -> None:
        self._wrapping_bytes -= len(body) + _CHUNK_BYTES
        if not isinstance(self.cycle, ExpressCall):
            super().on_body(body)
        elif not self.cycle.response_complete:
            self.cycle.take(body)

    @override
    def on_message_complete(self) -> None:
        cycle = self.cycle
        if not isinstance(cycle, ExpressCall):
            super().on_message_complete()
        elif not cycle.response_complete:
            cycle.more_body = False
            cycle.set()
        self._is_begun = False
        self._is_in_head = True
        self._is_ascii = False  # of a head that came behind this message in the same read nothing is known
        self._head_bytes = 0
        self._wrapping_bytes = 0
        if self._lateness is not None:
            self._forget_time()

    @override
    def on_response_complete(self) -> None:
        """Go on to the next request. A connection that is used again and again sets no timer for each of them."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idleness is None:
            self._idleness = self.loop.call_later(self.timeout_keep_alive, self._be_idle)

    def _be_idle(self) -> None:
        """Close a connection on which nothing was asked for long enough."""
        self._idleness = None
        if self.transport.is_closing():
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if not self._is_begun and self._is_idle() and left_s <= 0:
            self.transport.close()
        else:
            self._idleness = self.loop.call_later(max(left_s, _LOOK_S), self._be_idle)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._idleness is not None:
            self._idleness.cancel()
        self._forget_time()
        self._abandon()
        if self._running is not None and self._running.response_complete:
            self.cycle = self._running = self.scope = None  # type: ignore[assignment] # they hold it, and it them

    @override
    def send_400_response(self, msg: str) -> None:
        """Answer what the parser did not understand."""
        self._refuse(self._refusal or HeadRefused(msg))

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        if isinstance(self._running, ExpressCall):
            self._running.pause_writing()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if isinstance(self._running, ExpressCall):
            self._running.resume_writing()

    def server_headers(self) -> Headers:
        """Return the headers that every reply of the server has."""
        return self.server_state.default_headers

    def _read_head(self, data: bytes) -> bytes:
        """Look at a read that begins within a head or before one; return what of it the parser gets."""
        if not self._is_begun:
            data, self._last_bytes, self._is_ascii = data.lstrip(b"\r\n"), b"", True  # empty lines may come before it
        data, is_ascii = heads.without_offer(data, before=self._last_bytes)
        self._is_ascii = self._is_ascii and is_ascii
        return data

    def _check_head(self) -> None:
        """Return when there is nothing wrong with a head.

        Raises:
            HeadRefused: there is.
        """
        if self._head_bytes > self.max_head_bytes and heads.size_of(self.url, self.headers) > self.max_head_bytes:
            raise heads.too_large(self.max_head_bytes)
        version = self.parser.get_http_version()
        heads.check_head(self.url, version, self.headers)
        self._is_1_0 = version == "1.0"
        if not self._is_ascii:
            heads.check_ascii(self.headers)
        if self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers):
            raise HeadRefused("Offer another protocol with the first request of a connection, or wait for an answer.")

    def _find_way(self) -> Way | None:
        """Return where a request goes that need not pass the ASGI application."""
        is_plain = not self._is_1_0 and self.parser.get_method() == b"POST"
        return type(self).find_way(self.url, self.headers) if is_plain else None

    def _remember(self, data: bytes) -> None:
        """Keep the head of what was just read, if that was one whole request that says nothing of its connection."""
        call = self._running
        if isinstance(call, ExpressCall) and call is self.cycle and call.keep_alive and not call.more_body:
            self._known = known_head(data, self.url, call.head, max_bytes=self.max_head_bytes) or self._known
            self._tries_left -= 1

    def _takes_again(self, known: KnownHead, data: bytes) -> bool:
        """Take what is one whole request with a known head: the parser need not see it. Say whether it was taken."""
        if self._is_begun or self._lateness is not None or not self._is_idle():
            return False
        body_at = known.body_at(data)
        way = type(self).find_way(known.url, known.head.headers) if body_at else None
        if way is None:
            return False
        self._head_bytes, self._tries_left = 0, MOST_TRIES
        self.cycle = self._running = call = ExpressCall(self, way, known.head)
        call.keep_alive = not self._is_ending
        call.take_whole(data[body_at:])
        call.begin(self.tasks)
        return True

    def _make_scope(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        self.scope["extensions"] = {
            CLOSE_EXTENSION: {
                "close": self.close_gently,
                "abort": self.transport.abort,
                "is_late": False,
                "is_old": self.is_old,
            }
        }

    def _take(self, call: ExpressCall) -> None:
        """Begin to answer a request, or have it wait for the one before."""
        before, self.cycle = self.cycle, call
        if before is None or before.response_complete:
            self._start_asgi_task(call, None)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((call, None))  # type: ignore[arg-type]  # it only comes back to `_start_asgi_task`

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle | ExpressCall, app: Any) -> None:
        self._running = cycle
        if self._is_ending:
            cycle.keep_alive = False
        if isinstance(cycle, ExpressCall):
            cycle.begin(self.tasks)
            return
        if cycle.scope["http_version"] == "1.0":
            app = without_chunks(app, cycle)
        if cycle.waiting_for_100_continue:
            app = without_leave(app, cycle, self.close_gently)
        super()._start_asgi_task(cycle, app)

    @override
    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: callers may offer what they like, and whoever runs the gateway can do nothing about it."""

    def _refuse(self, refusal: HeadRefused) -> None:
        """Answer what never became a request, and close."""
        self._forget_time()
        if self.transport.is_closing():
            return
        self._is_refused = True
        if self._abandon():
            self.transport.close()  # in the middle of an answer another one would be taken for a part of it
            return
        self.transport.write(refusal.reply())
        self.close_gently()

    def close_gently(self) -> None:
        """Close behind what was written. Closing at once while the other side writes would lose it for that side."""
        self._is_refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    def _abandon(self) -> bool:
        """Stop answering: tell the running request that its caller is gone. Return whether an answer had begun."""
        cycle = self._running
        if cycle is None or cycle.response_complete:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return bool(cycle.response_started)

    def _is_idle(self) -> bool:
        """Say whether nothing is being answered: what is read then is, or should be, the beginning of a request."""
        return self._running is None or self._running.response_complete

    def _watch_time(self) -> None:
        """Give what is being read the time that it may take."""
        within_s = self.head_s if self._is_in_head else self.body_s
        if within_s:
            self._lateness = self.loop.call_later(within_s, self._be_late)

    def _forget_time(self) -> None:
        if self._lateness is not None:
            self._lateness.cancel()
            self._lateness = None

    def _be_late(self) -> None:
        """Give up on a request that did not come in time, unless an earlier one still holds up the connection."""
        self._lateness = None
        if self._is_in_head and self._is_idle():
            if self._is_begun:
                self._refuse(heads.too_slow(self.head_s))
            else:
                self.transport.close()  # an answer to nothing might be taken for one to what is just being sent
        elif self._is_in_head or self.cycle is not self._running:
            self._watch_time()
        elif self._is_idle():
            self.close_gently()  # it was answered without its body
        else:
            cycle: Any = self.cycle
            if isinstance(cycle, ExpressCall):
                cycle.is_late = True
            else:
                self.scope["extensions"][CLOSE_EXTENSION]["is_late"] = True
                cycle.transport = Closing(self.transport, self.close_gently)
            cycle.message_event.set()  # whoever waits for more of the body gets nothing, and looks why


def bounded_protocol(
    *, max_head_bytes: int, head_s: float = 0, body_s: float = 0, find_way: FindWay = no_way
) -> type[asyncio.Protocol]:
    """Return the protocol with other bounds; uvicorn makes its instances itself, so they go into the class."""
    way = staticmethod(find_way)
    bounds = {"max_head_bytes": max_head_bytes, "head_s": head_s, "body_s": body_s, "find_way": way}
    return type("BoundedProtocol", (BoundedProtocol,), bounds)
