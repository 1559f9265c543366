"""The client side of HTTP/1.1 towards one replica: callbacks, no tasks, no copies.

A `Connection` answers one request at a time and tells an `Answer` what arrives, once for every read of the socket. It
is the only file here that touches sockets.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import httptools
from typing_extensions import override

from vllm_gateway.exchange import Headers

MAX_HEAD_BYTES = 64 * 1024
"""Longest head of an answer. vLLM's has some 200 bytes; whoever sends more than this is not vLLM."""
MAX_INFORMATIONAL = 8
"""How many 1xx answers may precede the real one."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
"""An answer with one of these says where it ends."""


class ConnectionFault(Exception):
    """An answer did not come, or broke off; `str()` of it is for the log."""

    def __init__(self, message: str, *, is_stale: bool = False) -> None:
        super().__init__(message)
        self.is_stale = is_stale
        """A reused connection was closed by the replica before it said anything: the request may be sent again."""


class Answer(Protocol):
    """Who listens to the answer of one request; called in this order, `done` or `failed` once and last."""

    def head(self, status: int, headers: Headers) -> None:
        """Take status and headers."""
        ...

    def body(self, data: bytes) -> None:
        """Take what one read of the socket brought."""
        ...

    def done(self) -> None:
        """Know that the answer is complete; the connection can be used again if it says so."""
        ...

    def failed(self, fault: ConnectionFault) -> None:
        """Know that nothing more will come."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where a replica listens."""

    host: str
    """Its name, which its certificate must have, or its address."""
    port: int
    tls: ssl.SSLContext | None = None
    ip: str | None = None
    """Where the name is, as far as that is settled."""


async def connect(
    address: Address, *, timeout_s: float, find: Callable[[], Awaitable[Sequence[str]]] | None = None
) -> "Connection":
    """Open a connection; `find` looks up where a name is, and without it the system does.

    Raises:
        ConnectionFault: nothing listens there, the name is unknown, TLS failed, or it took too long.
    """
    try:
        async with asyncio.timeout(timeout_s or None):
            return await _open(address, (address.ip or address.host,) if find is None else await find())
    except TimeoutError:
        raise ConnectionFault(f"no connection within {timeout_s:g} s") from None
    except (OSError, UnicodeError) as error:  # a name that cannot be one is found out only when it is looked up
        raise ConnectionFault(f"no connection: {error}") from error


async def _open(address: Address, hosts: Sequence[str]) -> "Connection":
    """Open a connection to the first of `hosts` that takes one."""
    loop = asyncio.get_running_loop()
    name = address.host if address.tls is not None else None
    failure: OSError = OSError("the name has no address")
    for host in hosts:
        try:
            _, connection = await loop.create_connection(
                Connection, host, address.port, ssl=address.tls, server_hostname=name
            )
        except OSError as error:
            failure = error
        else:
            return connection
    raise failure


class Connection(asyncio.Protocol):
    """One connection to one replica."""

    def __init__(self) -> None:
        self.is_open = False
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self.on_body = self._parts.append
        """Keeps a part until the read has been parsed whole; the parser calls it."""
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._requests = 0
        self._begin()

    def _begin(self) -> None:
        """Forget the answer before."""
        self._headers: Headers = []
        self._parts.clear()
        self._head_bytes = 0
        self._informational = 0
        self._has_head = False
        self._is_framed = False
        self._is_complete = False
        self._keeps_alive = False
        self._has_heard = False

    def send(self, request: bytes, answer: Answer) -> None:
        """Write a whole request and tell `answer` what comes back. The connection must be open and free."""
        if self._transport is None or not self.is_free:
            raise RuntimeError("the connection is not free")
        self._begin()
        self._requests += 1
        self._answer = answer
        self._transport.write(request)

    @property
    def is_free(self) -> bool:
        """It is open, and no answer is expected on it."""
        is_closing = self._transport is None or self._transport.is_closing()
        return self.is_open and self._answer is None and not is_closing

    def close(self) -> None:
        """Close at once and tell nobody; the replica sees it and stops working on what was asked."""
        self._answer = None
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Stop reading, so that the replica has to wait."""
        if self._transport is not None and self.is_open:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if self._transport is not None and self.is_open:
            self._transport.resume_reading()

    # what the transport calls

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # a stream transport, since a stream was asked for
        self.is_open = True

    @override
    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.close()  # nothing was asked: whatever this is, it must not be taken for the next answer
            return
        self._has_heard = True
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(ConnectionFault(f"not HTTP: {error!r}"))
            return
        if not self._has_head and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(ConnectionFault("the head of the answer is too large"))
            return
        self._deliver()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answer is None:
            return
        if self._ends_with_connection() and exc is None:
            self._finish()
            return
        is_stale = self._requests > 1 and not self._has_heard
        self._fail(ConnectionFault(f"connection lost: {exc or 'closed by the replica'}", is_stale=is_stale))

    def _deliver(self) -> None:
        """Hand on what the last read brought: at most one call for all of it."""
        parts = self._parts
        if parts and self._answer is not None:
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            self._answer.body(data)
        if self._is_complete:
            self._finish()

    def _finish(self) -> None:
        answer, self._answer = self._answer, None
        if not self._keeps_alive or self.is_still_sending:
            self.is_open = False
            if self._transport is not None:
                self._transport.close()
        if answer is not None:
            answer.done()

    def _fail(self, fault: ConnectionFault) -> None:
        answer = self._answer
        self.close()
        if answer is not None:
            answer.failed(fault)

    @property
    def is_still_sending(self) -> bool:
        """The replica has not taken the whole request yet; another one would have to wait behind it."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def _ends_with_connection(self) -> bool:
        """Say whether the answer has no length of its own, so that the end of the connection is its end."""
        return self._has_head and not self._is_framed

    # what the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Tell the head, unless it is an interim one."""
        if self._is_complete:
            raise ValueError("an answer that nobody asked for")
        status = self._parser.get_status_code()
        if status < 200:  # noqa: PLR2004 - 1xx is informational, RFC 9110 section 15.2
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise ValueError("too many interim answers")
            return
        headers, self._headers = self._headers, []
        self._has_head = True
        self._is_framed = any(name in _FRAMING for name, _ in headers)
        if self._answer is not None:
            self._answer.head(status, headers)

    def on_message_complete(self) -> None:
        """Note the end, unless it is that of an interim answer."""
        if self._has_head:
            self._is_complete = True
            self._keeps_alive = self._parser.should_keep_alive()  # the parser forgets as soon as it goes on
        else:
            self._headers = []
