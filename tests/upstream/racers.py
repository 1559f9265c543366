"""Two replicas that race for one exchange, and do what a test tells them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from tests.exchanges import exchange as new_exchange
from tests.waiting import until
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import QueueFull, ReplicaFailed
from vllm_gateway.exchange import Exchange, Flow, Headers, Sink, T
from vllm_gateway.settings.fleet import Hedge
from vllm_gateway.upstream.answers import AttemptFailed, EventStream, OnePiece, Stream
from vllm_gateway.upstream.hedging import Hedging, Try
from vllm_gateway.upstream.verdicts import Verdict

ROUTE = "default"
COMMENT = b": keep-alive\n\n"
FIRST = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


class Caller:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.is_gone = False
        self.is_started = False
        self.said: list[object] = []
        self.flow: Flow | None = None

    def feed_from(self, flow: Flow | None) -> None:
        """Note who feeds."""
        self.flow = flow

    def start(self, status: int, headers: Headers) -> None:  # noqa: ARG002 - a sink's
        """Note the status."""
        assert not self.is_started
        self.is_started = True
        self.said.append(status)

    def write(self, data: bytes) -> None:
        """Keep a part of the body."""
        assert self.is_started
        self.said.append(data)

    def end(self) -> None:
        """Note the end."""
        self.said.append("end")

    def cut(self) -> None:
        """Note the cut."""
        self.said.append("cut")

    def drop(self) -> None:
        """Note the drop."""
        self.said.append("drop")

    async def until(self, done: "asyncio.Future[T]") -> T:
        """Wait."""
        return await done


class Replica:
    """Answers into what it was given, as a test says; tells what became of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_asked = False
        self.is_over = False
        """Its try has given back all that it had."""
        self.exchange: Exchange | None = None
        self.sink: Sink | None = None
        self._stream: EventStream | None = None
        self._fate: asyncio.Future[None] | None = None

    async def run(self, exchange: Exchange, sink: Sink) -> None:
        """Be asked."""
        self.is_asked = True
        self.exchange, self.sink = exchange, sink
        exchange.attempts += 1
        exchange.replica = self.name
        if exchange.asked is not None:
            self._stream = EventStream(exchange, sink, Stream(exchange.asked.new_watch()))
        self._fate = asyncio.get_running_loop().create_future()
        sink.feed_from(self)
        try:
            await sink.until(self._fate)
        finally:
            sink.feed_from(None)
            self.is_over = True

    def says(self, *events: bytes) -> None:
        """Send events."""
        assert self._stream is not None
        for event in events:
            self._stream.feed(event)

    def answers(self, body: bytes) -> None:
        """Answer in one piece."""
        assert self.exchange is not None
        assert self.sink is not None
        piece = OnePiece([(b"content-length", b"%d" % len(body))], self.exchange, self.sink)
        piece.feed(body)
        piece.end()
        self._end(None)

    def finishes(self) -> None:
        """Come to the end of the stream."""
        assert self._stream is not None
        self._stream.end()
        self._end(None)

    def fails(self, why: str = "It failed.", *, is_final: bool = False) -> None:
        """Fail."""
        self._end(AttemptFailed(Verdict(ReplicaFailed(why), is_retryable=not is_final)))

    def is_full(self) -> None:
        """Have no place for one more."""
        self._end(QueueFull("Full."))

    def pause(self) -> None:
        """Hold the flow."""

    def resume(self) -> None:
        """Let it flow."""

    def _end(self, failure: Exception | None) -> None:
        assert self._fate is not None
        if self._fate.done():
            return
        if failure is None:
            self._fate.set_result(None)
        else:
            self._fate.set_exception(failure)


def asking() -> Exchange:
    """Return an exchange that asks for a stream."""
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}'
    exchange = new_exchange(body=body)
    exchange.asked = exchange.operation.read(body)
    return exchange


async def knowing(hedging: Hedging, first_token_s: float = 0.0) -> None:
    """Let the route see enough first tokens to know what is usual."""
    for _ in range(20):
        replica = Replica("a")
        racing = asyncio.ensure_future(hedging.race(asking(), Caller(), ROUTE, replica.run, lambda: None))  # noqa: TID251 - a test's own
        await until(lambda: replica.is_asked)  # noqa: B023 - waited for at once
        if first_token_s:
            await asyncio.sleep(first_token_s)
        replica.says(LAST, DONE)
        replica.finishes()
        await racing


@asynccontextmanager
async def racing(
    *, late_after_s: float = 0.01, second: bool = True, budget_percent: float = 100.0
) -> AsyncIterator[tuple[Hedging, Exchange, Caller, Replica, Replica, "asyncio.Task[None]"]]:
    """Have two replicas race; the second one is asked after a moment."""
    hedging = Hedging(
        Hedge(enabled=True, least_wait_s=late_after_s, budget_percent=budget_percent), clock=SystemClock()
    )
    for _ in range(20):
        hedging._first_tokens[ROUTE].note(0.0)
    exchange, caller, a, b = asking(), Caller(), Replica("a"), Replica("b")
    run: Callable[[], Try | None] = lambda: b.run if second else None  # noqa: E731 - short
    task = asyncio.ensure_future(hedging.race(exchange, caller, ROUTE, a.run, run))  # noqa: TID251 - a test's own
    try:
        await until(lambda: a.is_asked)
        yield hedging, exchange, caller, a, b, task
    finally:
        task.cancel()
        with suppress(BaseException):
            await task
        await hedging.close()
