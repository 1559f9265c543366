"""One question on one connection: HTTP/1.1 as a guest speaks it.

A connection of its own for each question: leaving is then closing a socket, which is how a gateway learns that nobody
reads the answer any more.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httptools

from vllm_gateway.terminal.api.faults import StreamBroken, Unreachable
from vllm_gateway.terminal.api.target import Target

_READ_BYTES = 65_536
CONNECT_S = 10.0


@dataclass(slots=True)
class Heard:
    """What httptools has found so far."""

    headers: dict[str, str] = field(default_factory=dict)
    body: list[bytes] = field(default_factory=list)
    has_head: bool = False
    is_whole: bool = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Take the end of the head."""
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self.body.append(body)

    def on_message_complete(self) -> None:
        """Take the end of the answer."""
        self.is_whole = True


class Answer:
    """The answer to a question, while it comes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.status = 0
        self._reader = reader
        self._heard = Heard()
        self._parser = httptools.HttpResponseParser(self._heard)

    @property
    def headers(self) -> dict[str, str]:
        """The headers by their names in lower case."""
        return self._heard.headers

    @property
    def has_begun(self) -> bool:
        """The head is there."""
        return self._heard.has_head

    async def parts(self) -> AsyncIterator[bytes]:
        """Give the body as it comes; raise `StreamBroken` when it ends before its end."""
        while True:
            if self._heard.body:
                yield b"".join(self._heard.body)
                self._heard.body.clear()
            if self._heard.is_whole:
                return
            if not await self._read():
                raise StreamBroken("The gateway broke the answer off.")

    async def whole(self) -> bytes:
        """Return the body when all of it is there."""
        return b"".join([part async for part in self.parts()])

    async def _head(self) -> None:
        while not self.has_begun:
            if not await self._read():
                raise Unreachable("The gateway closed the connection without an answer.")
        self.status = self._parser.get_status_code()

    async def _read(self) -> bool:
        """Take what comes next; say whether anything did."""
        data = await self._reader.read(_READ_BYTES)
        if data:
            with contextlib.suppress(httptools.HttpParserUpgrade):
                self._parser.feed_data(data)
        return bool(data)


@asynccontextmanager
async def asking(
    target: Target, method: str, path: str, body: bytes | None, *, patience_s: float | None
) -> AsyncIterator[Answer]:
    """Ask, and give the answer when its head is there; the connection is gone at the end, however that comes.

    Raises:
        Unreachable: there is no answer within `patience_s`, or none that is HTTP.
        StreamBroken: it began, and the connection failed.
    """
    transport: asyncio.BaseTransport | None = None
    answer: Answer | None = None
    try:
        async with asyncio.timeout(CONNECT_S):
            tls = ssl.create_default_context() if target.is_tls else None
            reader, writer = await asyncio.open_connection(target.host, target.port, ssl=tls)
        transport = writer.transport
        answer = Answer(reader)
        writer.write(_head(target, method, path, body) + (body or b""))
        async with asyncio.timeout(patience_s):
            await answer._head()  # noqa: SLF001 - the two are one
        yield answer
    except TimeoutError as late:
        raise Unreachable(f"The gateway at {target.url} does not answer.") from late
    except (OSError, httptools.HttpParserError) as fault:
        if answer is not None and answer.has_begun:
            raise StreamBroken("The connection to the gateway broke.") from fault
        raise Unreachable(_why(target, fault)) from fault
    finally:
        if transport is not None:
            transport.abort() if isinstance(transport, asyncio.WriteTransport) else transport.close()


def _head(target: Target, method: str, path: str, body: bytes | None) -> bytes:
    lines = [f"{method} {target.path}{path} HTTP/1.1", f"host: {target.authority}", "connection: close"]
    if target.key:
        lines.append(f"authorization: Bearer {target.key}")
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode()


def _why(target: Target, fault: Exception) -> str:
    if isinstance(fault, ssl.SSLError):
        return f"The gateway at {target.url} has no certificate that this machine trusts."
    if isinstance(fault, httptools.HttpParserError):
        return f"What answers at {target.url} does not speak HTTP. Is the address right?"
    return f"No gateway answers at {target.url}. Is it running, and is the address right?"
