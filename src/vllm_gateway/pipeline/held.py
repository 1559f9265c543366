"""A sink that keeps the end of an answer back: a caller who sees the end may rely on what was to be kept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from vllm_gateway.exchange import Flow, Headers, Sink

T = TypeVar("T")

Ending = Callable[[bytes], int]
"""Says where in a chunk of whole events the end of a stream begins; -1 when it is not in there."""


def chunks_ending(events: bytes) -> int:
    """Find the last event of a chat or completions stream; inside JSON a line cannot begin like this."""
    if events.startswith(b"data: [DONE]"):
        return 0
    at = events.find(b"\ndata: [DONE]")
    return at if at < 0 else at + 1


class Held:
    """Passes a stream on but for its end, and keeps an answer in one piece whole."""

    def __init__(
        self, sink: Sink, *, ending: Ending = chunks_ending, edit: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._sink = sink
        self._ending = ending
        self._edit = edit
        self._head: tuple[int, Headers] | None = None
        self._seen: list[bytes] = []
        self._back: list[bytes] = []

    @property
    def is_gone(self) -> bool:
        """The caller has left."""
        return self._sink.is_gone

    @property
    def is_started(self) -> bool:
        """The head of the reply has been written."""
        return self._sink.is_started

    @property
    def is_stream(self) -> bool:
        """The answer is a stream, and its beginning has left, be it here or by a heartbeat below."""
        return self._head is None and self._sink.is_started

    @property
    def seen(self) -> bytes:
        """All that the caller gets of the answer."""
        whole = b"".join(self._seen)
        return whole if self.is_stream or self._edit is None else self._edit(whole)

    def feed_from(self, flow: Flow | None) -> None:
        """Name the flow that is to wait when the caller is slow."""
        self._sink.feed_from(flow)

    def start(self, status: int, headers: Headers) -> None:
        """Write the head of a stream; keep that of an answer in one piece."""
        kinds = [value for name, value in headers if name == b"content-type"]
        if kinds and kinds[0].startswith(b"text/event-stream"):
            self._sink.start(status, headers)
        else:
            self._head = (status, headers)

    def write(self, data: bytes) -> None:
        """Pass on what does not belong to the end."""
        if not self.is_stream:
            self._seen.append(data)
            return
        if self._edit is not None:
            data = self._edit(data)
        self._seen.append(data)
        if self._back:
            self._back.append(data)
        elif (at := self._ending(data)) < 0:
            self._sink.write(data)
        else:
            if at:
                self._sink.write(data[:at])
            self._back.append(data[at:])

    def end(self) -> None:
        """Do nothing yet: the end is `release`."""

    def cut(self) -> None:
        """Close the caller's connection behind what was passed on."""
        self._sink.cut()

    def drop(self) -> None:
        """Close the caller's connection at once."""
        self._sink.drop()

    def until(self, done: "asyncio.Future[T]") -> Awaitable[T]:
        """Wait for `done`, and keep writing meanwhile."""
        return self._sink.until(done)

    def release(self, body: bytes | None = None) -> None:
        """Complete the reply; `body` takes the place of an answer in one piece."""
        if self._head is not None:
            status, headers = self._head
            body = self.seen if body is None else body
            others = [(name, value) for name, value in headers if name != b"content-length"]
            self._sink.start(status, [*others, (b"content-length", b"%d" % len(body))])
            self._sink.write(body)
        for data in self._back:
            self._sink.write(data)
        self._sink.end()
