"""A caller that asks one thing on a connection of its own, and notes every byte with its time."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools

from vllm_gateway import codec
from vllm_gateway.clock import SystemClock

_READ_BYTES = 65_536
_now = SystemClock.now


@dataclass(frozen=True, slots=True)
class Target:
    """Where a gateway is, and how it is asked."""

    host: str
    port: int
    path: str = ""
    """What stands before `/v1`."""
    is_tls: bool = False
    key: str | None = field(default=None, repr=False)

    @classmethod
    def at(cls, url: str, key: str | None = None) -> "Target":
        """Return the target of an address, with or without `/v1`; raise `ValueError` when it is none."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"'{url}' is no address of a gateway: it should look like http://127.0.0.1:8080.")
        is_tls = parts.scheme == "https"
        path = parts.path.rstrip("/").removesuffix("/v1")
        return cls(parts.hostname, parts.port or (443 if is_tls else 80), path, is_tls, key)


@dataclass(slots=True)
class Heard:
    """What came back, as bytes."""

    asked_at: float
    status: int | None = None
    """None: there was no HTTP answer at all."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    arrivals: list[float] = field(default_factory=list)
    """When parts of the body came."""
    is_whole: bool = False
    """HTTP itself says that the body is complete."""
    is_hung: bool = False
    """Nothing ended it before the caller lost patience."""
    ended_at: float = 0.0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take what httptools finds: a header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self.body += body
        self.arrivals.append(_now())

    def on_message_complete(self) -> None:
        """Take the end of the answer."""
        self.is_whole = True


async def ask(
    target: Target,
    path: str,
    body: dict[str, Any],
    *,
    patience_s: float,
    leave_when: Callable[[Heard], bool] = lambda _: False,
) -> Heard:
    """Ask, and return what came back: whatever goes wrong is part of that. `leave_when` says when to leave early."""
    heard = Heard(_now())
    try:
        async with asyncio.timeout(patience_s):
            await _converse(target, _request(target, path, codec.dumps(body)), heard, leave_when)
    except TimeoutError:
        heard.is_hung = True
    except (OSError, httptools.HttpParserError):
        heard.is_whole = False
    heard.ended_at = _now()
    return heard


async def _converse(target: Target, request: bytes, heard: Heard, leave_when: Callable[[Heard], bool]) -> None:
    tls = ssl.create_default_context() if target.is_tls else None
    reader, writer = await asyncio.open_connection(target.host, target.port, ssl=tls)
    try:
        writer.write(request)
        parser = httptools.HttpResponseParser(heard)
        while not heard.is_whole and not leave_when(heard):
            data = await reader.read(_READ_BYTES)
            if not data:
                return
            with contextlib.suppress(httptools.HttpParserUpgrade):
                parser.feed_data(data)
            heard.status = parser.get_status_code()
    finally:
        writer.transport.abort()


def _request(target: Target, path: str, body: bytes) -> bytes:
    key = f"authorization: Bearer {target.key}\r\n" if target.key else ""
    head = (
        f"POST {target.path}{path} HTTP/1.1\r\nhost: {target.host}:{target.port}\r\n{key}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
