"""A closed-loop load client: each connection asks again as soon as it has its answer.

python -m benchmarks.load --port 8080 --target PID --replica PID --connections 32 --events 64
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import httptools
import uvloop
from typing_extensions import override

from benchmarks import canned
from benchmarks.accounting import Watch
from benchmarks.figures import Figures, Tally, figures
from vllm_gateway import codec
from vllm_gateway.clock import SystemClock
from vllm_gateway.tasks import Tasks

RECONNECT_S = 0.05
"""Pause before a connection that was lost is opened again."""
_PROMPT = "Explain how a relay hands on a streamed answer to many callers at once, and what it must not do. " * 6
_now = SystemClock.now


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is asked, by how many at once, and for how long."""

    name: str
    title: str
    connections: int
    events: int = 0
    """Tokens of a streamed answer; 0 asks for an answer in one piece."""
    gap_ms: int = 0
    """Time between two tokens; 0 for as fast as they come."""
    ramp_s: float = 0.0
    """The connections are opened evenly over this time, so that they do not go in step."""
    warm_s: float = 0.5
    measured_s: float = 4.0
    drain_s: float = 5.0
    """How long to wait for the last answers."""
    path: str = "/v1/chat/completions"
    extra: Mapping[str, object] = field(default_factory=dict)
    """What the body of each request holds as well."""


def request(scenario: Scenario, port: int) -> bytes:
    """Return the request that every connection sends, again and again."""
    asked: dict[str, object] = {
        "model": canned.MODEL,
        "messages": [{"role": "user", "content": _PROMPT}],
        "temperature": 0.7,
    }
    if scenario.events:
        asked |= {"stream": True, "max_tokens": scenario.events, "seed": scenario.gap_ms}
    body = codec.dumps({**asked, **scenario.extra})
    head = (
        f"POST {scenario.path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: application/json\r\n"
        f"content-type: application/json\r\nuser-agent: vllm-gateway-benchmark\r\n"
        f"authorization: Bearer {canned.KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class EventCount:
    """Counts server-sent events by the blank lines that end them, wherever the bytes are cut."""

    __slots__ = ("_is_line_ended",)

    def __init__(self) -> None:
        self._is_line_ended = False

    def feed(self, data: bytes) -> int:
        """Return how many events end in these bytes."""
        if not data:
            return 0
        count = 0
        if self._is_line_ended and data.startswith(b"\n"):
            count, data = 1, data[1:]
        self._is_line_ended = data.endswith(b"\n") and not data.endswith(b"\n\n")
        return count + data.count(b"\n\n")


class Connection(asyncio.Protocol):
    """One connection that asks, reads, and asks again."""

    def __init__(self, load: "Load") -> None:
        self.is_waiting = False
        self._load = load
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._count = EventCount()
        self._events = 0
        self._asked_at = self._read_at = self._last_event_at = 0.0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # TCP gives no other
        self._load.opened(self)
        self._ask()

    @override
    def data_received(self, data: bytes) -> None:
        self._read_at = _now()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_body(self, data: bytes) -> None:
        """Count the events of a stream, and time the first one and the gaps."""
        load = self._load
        if not load.expected_events or not (count := self._count.feed(data)):
            return
        tally = load.tally
        tally.events += count
        if self._events:
            tally.gaps.append(self._read_at - self._last_event_at)
        else:
            tally.first_events.append(self._read_at - self._asked_at)
        if count > 1:
            tally.gaps.extend([0.0] * (count - 1))
        self._events += count
        self._last_event_at = self._read_at

    def on_message_complete(self) -> None:
        """Judge the answer, and ask again."""
        self.is_waiting = False
        tally = self._load.tally
        if self._parser.get_status_code() != 200:  # noqa: PLR2004 - HTTP's own number
            tally.errors += 1
        elif self._events < self._load.expected_events:
            tally.short += 1
        else:
            tally.requests += 1
            tally.latencies.append(self._read_at - self._asked_at)
        if self._parser.should_keep_alive():
            self._ask()
        else:
            self._transport.close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_waiting and not self._load.is_closed:
            self._load.tally.errors += 1
        self.is_waiting = False
        self._load.lost(self)

    def close(self) -> None:
        """Leave, whatever is under way."""
        self._transport.abort()

    def _ask(self) -> None:
        if self._load.is_over:
            self._transport.close()
            return
        self.is_waiting = True
        self._events = 0
        self._asked_at = _now()
        self._transport.write(self._load.request)


class Load:
    """One scenario, run against one port."""

    def __init__(self, scenario: Scenario, port: int) -> None:
        self.request = request(scenario, port)
        self.expected_events = scenario.events + 2 if scenario.events else 0  # and the role, and [DONE]
        self.tally = Tally()
        self.is_over = False
        """No more is asked; what was asked is waited for."""
        self.is_closed = False
        self._scenario = scenario
        self._port = port
        self._open: set[Connection] = set()
        self._tasks = Tasks("load")

    async def run(self, watch: Watch) -> Figures:
        """Warm up, measure, wait for the last answers, and return what was seen."""
        watch.reset_peak_rss()
        await self._ramp()
        await asyncio.sleep(self._scenario.warm_s)
        warm, window, rest = self.tally, Tally(), Tally()
        before, self.tally = watch.sample(), window
        await asyncio.sleep(self._scenario.measured_s)
        after, self.tally = watch.sample(), rest
        peak_rss_bytes = watch.peak_rss_bytes()
        unfinished = await self._drain()
        return figures(
            before=before,
            after=after,
            window=window,
            whole=(warm, window, rest),
            unfinished=unfinished,
            peak_rss_bytes=peak_rss_bytes,
        )

    def opened(self, connection: Connection) -> None:
        """Take note of a connection."""
        self._open.add(connection)

    def lost(self, connection: Connection) -> None:
        """Replace a connection that is gone, as long as there is something to ask."""
        self._open.discard(connection)
        if not self.is_over:
            self._tasks.start(self._reconnect(), name="reconnect")

    async def _ramp(self) -> None:
        begun = _now()
        for number in range(self._scenario.connections):
            due = begun + self._scenario.ramp_s * number / self._scenario.connections
            if (early := due - _now()) > 0:
                await asyncio.sleep(early)
            await self._connect()

    async def _reconnect(self) -> None:
        await asyncio.sleep(RECONNECT_S)
        if not self.is_over:
            await self._connect()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        except OSError:
            self.tally.errors += 1
            if not self.is_over:
                self._tasks.start(self._reconnect(), name="reconnect")

    async def _drain(self) -> int:
        """Wait for what is under way; return how many answers never came to their end."""
        self.is_over = True
        latest = _now() + self._scenario.drain_s
        while (waiting := sum(each.is_waiting for each in self._open)) and _now() < latest:  # noqa: ASYNC110 - nothing is timed any more
            await asyncio.sleep(0.02)
        self.is_closed = True
        await self._tasks.close()
        for connection in list(self._open):
            connection.close()
        await asyncio.sleep(0)
        return waiting


def measure(scenario: Scenario, *, port: int, watch: Watch) -> Figures:
    """Run one scenario in an event loop of its own."""
    with _no_garbage_collection(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Load(scenario, port).run(watch))


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector from stopping the client in the middle of a measurement."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def main() -> None:
    """Run one scenario against a server that runs already, and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", type=int, required=True, help="process whose tree is measured")
    parser.add_argument("--replica", type=int, required=True, help="process of the replica")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--events", type=int, default=0, help="tokens of a streamed answer; 0: not streamed")
    parser.add_argument("--gap-ms", type=int, default=0)
    parser.add_argument("--ramp-s", type=float, default=0.0)
    parser.add_argument("--measured-s", type=float, default=4.0)
    asked = parser.parse_args()
    scenario = Scenario(
        name="asked",
        title="asked on the command line",
        connections=asked.connections,
        events=asked.events,
        gap_ms=asked.gap_ms,
        ramp_s=asked.ramp_s,
        measured_s=asked.measured_s,
    )
    seen = measure(scenario, port=asked.port, watch=Watch(target=asked.target, replica=asked.replica))
    sys.stdout.write(codec.dumps_pretty(seen).decode())


if __name__ == "__main__":
    main()
