"""Comments in a stream while the model is silent, so that no proxy on the way takes it for dead."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange, Flow, Headers, Sink
from vllm_gateway.upstream.answers import start_stream
from vllm_gateway.upstream.deadlines import Deadlines

T = TypeVar("T")

COMMENT = b": keepalive\n\n"
"""A comment of server-sent events: every client skips it."""
_STREAMED = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"})
"""The routes of vLLM whose streams take comments."""


@contextmanager
def audible(exchange: Exchange, sink: Sink, *, every_s: float, deadlines: Deadlines, clock: Clock) -> Iterator[None]:
    """Let a stream carry comments while its replica is waited for; some routes have them all the time anyway."""
    asked = exchange.asked
    is_stream = asked is not None and asked.stream and asked.path in _STREAMED
    if not is_stream or every_s <= 0 or exchange.operation.has_heartbeat:
        yield
        return
    heartbeat = Heartbeat(exchange, sink, every_s=every_s, clock=clock)
    deadlines.add(heartbeat)
    try:
        yield
    finally:
        deadlines.remove(heartbeat)


class Heartbeat:
    """A sink that is asked now and then whether it has been silent for too long."""

    def __init__(self, exchange: Exchange, sink: Sink, *, every_s: float, clock: Clock) -> None:
        self._exchange = exchange
        self._sink = sink
        self._every_s = every_s
        self._clock = clock
        self._spoke_at = clock.now()
        self._is_over = False

    @property
    def is_gone(self) -> bool:
        """The caller has left."""
        return self._sink.is_gone

    @property
    def is_started(self) -> bool:
        """The head of the reply has been written."""
        return self._sink.is_started

    def check(self, now: float) -> None:
        """Say that somebody is there, if a stream was asked for and nothing was said for a while.

        The head leaves with the first comment: from then on a failure is an event in the stream.
        """
        asked = self._exchange.asked
        if asked is None or not asked.stream or self._is_over or now - self._spoke_at < self._every_s:
            return
        if not self._sink.is_started:
            start_stream(self._exchange, self._sink)
        if self._exchange.is_event_stream:
            self._sink.write(COMMENT)
            self._spoke_at = now

    def feed_from(self, flow: Flow | None) -> None:
        """Name the flow that is to wait when the caller is slow."""
        self._sink.feed_from(flow)

    def start(self, status: int, headers: Headers) -> None:
        """Write the head of the reply."""
        self._sink.start(status, headers)

    def write(self, data: bytes) -> None:
        """Write a part of the body."""
        self._spoke_at = self._clock.now()
        self._sink.write(data)

    def end(self) -> None:
        """Complete the reply."""
        self._is_over = True
        self._sink.end()

    def cut(self) -> None:
        """Close the caller's connection behind what was written."""
        self._is_over = True
        self._sink.cut()

    def drop(self) -> None:
        """Close the caller's connection at once."""
        self._is_over = True
        self._sink.drop()

    def until(self, done: "asyncio.Future[T]") -> Awaitable[T]:
        """Wait for `done`, and keep writing meanwhile."""
        return self._sink.until(done)
