"""A sink that says of an answer that it went past the cache."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from vllm_gateway.cache.telling import Mark, marked
from vllm_gateway.exchange import Flow, Headers, Sink

T = TypeVar("T")


class BypassSink:
    """Adds a header, and passes on everything else."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.write = sink.write  # as it is: it is called for every event
        """Write a part of the body."""

    @property
    def is_gone(self) -> bool:
        """The caller has left."""
        return self._sink.is_gone

    @property
    def is_started(self) -> bool:
        """The head of the reply has been written."""
        return self._sink.is_started

    def feed_from(self, flow: Flow | None) -> None:
        """Name the flow that is to wait when the caller is slow."""
        self._sink.feed_from(flow)

    def start(self, status: int, headers: Headers) -> None:
        """Write the head of the reply."""
        self._sink.start(status, marked(headers, Mark.BYPASS))

    def end(self) -> None:
        """Complete the reply."""
        self._sink.end()

    def cut(self) -> None:
        """Close the caller's connection behind what was written."""
        self._sink.cut()

    def drop(self) -> None:
        """Close the caller's connection at once."""
        self._sink.drop()

    def until(self, done: "asyncio.Future[T]") -> Awaitable[T]:
        """Wait for `done`, and keep writing meanwhile."""
        return self._sink.until(done)
