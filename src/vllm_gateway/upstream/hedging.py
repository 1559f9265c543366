"""Two tries at once: when a first token is late, a second replica is asked, and whoever speaks first answers.

Each try gets a copy of the exchange and a sink of its own, so that neither needs to know of the other. With its first
word that is not a comment a try wins: the exchange takes over what its copy says, the other try is cancelled, and
whatever that still writes goes nowhere.
"""

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange, Flow, Headers, Sink
from vllm_gateway.settings.fleet import Hedge
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.answers import AttemptFailed
from vllm_gateway.upstream.budget import RetryBudget
from vllm_gateway.upstream.first_tokens import FirstTokens
from vllm_gateway.upstream.tally import Tally

T = TypeVar("T")

Try = Callable[[Exchange, Sink], Awaitable[None]]
"""Asks one replica, for an exchange, into a sink; it takes its place there and gives it back."""
_TAKEN_OVER = ("status", "is_event_stream", "watch", "events_so_far", "usage", "replica", "resumed")
"""What a try notes on the exchange; its attempts are added up."""


class Hedging:
    """Decides when a second replica is asked, and lets the two race."""

    def __init__(self, settings: Hedge, *, clock: Clock, tally: Tally | None = None) -> None:
        self._hedges = (Tally() if tally is None else tally).hedges
        self._settings = settings
        self._clock = clock
        self._budget = RetryBudget(percent=settings.budget_percent, clock=clock, floor_per_s=0)
        self._first_tokens: defaultdict[str, FirstTokens] = defaultdict(partial(FirstTokens, clock))
        self._tasks = Tasks("hedging")

    @property
    def hedged(self) -> int:
        """How many requests were asked twice."""
        return self._hedges["asked"]

    @property
    def won(self) -> int:
        """How many of them the second replica answered."""
        return self._hedges["won"]

    def late_after(self, route: str) -> float | None:
        """Return the seconds after which a first token is late; None while nothing is known of the route."""
        usual_s = self._first_tokens[route].late_after(self._settings.percentile)
        return None if usual_s is None else max(usual_s, self._settings.least_wait_s)

    async def race(
        self, exchange: Exchange, sink: Sink, route: str, first: Try, second: Callable[[], Try | None]
    ) -> None:
        """Have `first` answer, and when it is late, whichever is quicker: it, or what `second` returns.

        `second` is called at most once, when a second replica may be asked; it returns None when there is none.

        Raises:
            Exception: what the try that answered raised; when none answered, what the first one raised.
        """
        self._budget.earn()
        began = self._clock.now()
        contest = Contest(exchange, sink, tasks=self._tasks, clock=self._clock)
        contest.enter(first)
        late_after_s = self.late_after(route)
        loop = asyncio.get_running_loop()
        timer = None if late_after_s is None else loop.call_later(late_after_s, self._late, contest, second)
        try:
            await sink.until(contest.over)
        finally:
            if timer is not None:
                timer.cancel()
            await contest.close()
            if contest.won_at is not None:
                self._first_tokens[route].note(contest.won_at - began)
            self._hedges["won"] += contest.is_won_by_second

    async def close(self) -> None:
        """End every race."""
        await self._tasks.close()

    def _late(self, contest: "Contest", second: Callable[[], Try | None]) -> None:
        if contest.is_open and self._budget.spend() and (run := second()) is not None:
            self._hedges["asked"] += 1
            contest.enter(run)


class Contest:
    """The tries that are under way for one exchange."""

    def __init__(self, exchange: Exchange, sink: Sink, *, tasks: Tasks, clock: Clock) -> None:
        self.exchange = exchange
        self.sink = sink
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        """Done when the winner has come to its end, or nobody is left who could win."""
        self.winner: Contender | None = None
        self.won_at: float | None = None
        self._tasks = tasks
        self._clock = clock
        self._running: dict[Contender, asyncio.Task[None]] = {}
        self._entered = 0
        self._attempts = exchange.attempts
        """Replicas asked before, and by those who have failed."""
        self._failure: Exception | None = None
        """Of the replica that failed first."""

    @property
    def is_open(self) -> bool:
        """Nobody has won, and somebody may."""
        return self.winner is None and bool(self._running)

    @property
    def is_won_by_second(self) -> bool:
        """The second replica answered."""
        return self.winner is not None and self.winner.number > 1

    def enter(self, run: Try) -> None:
        """Begin one more try."""
        self._entered += 1
        contender = Contender(self, self._entered)
        self._running[contender] = self._tasks.start(self._run(contender, run), name=f"try {self._entered}")

    def win(self, contender: "Contender") -> None:
        """Stop all others: this one answers."""
        self.winner = contender
        self.won_at = self._clock.now()
        for other, task in self._running.items():
            if other is not contender:
                task.cancel()
        self._take_over(contender)

    async def close(self) -> None:
        """Stop every try that is under way, and wait until its connection and its place are given back."""
        if self._running:
            running = list(self._running.values())
            for task in running:
                self._loop.call_soon(task.cancel)  # not before its first step: what ends it gives its place back
            await asyncio.gather(*running, return_exceptions=True)
        if self.over.done() and not self.over.cancelled():
            self.over.exception()  # a caller who left did not wait for it; asyncio would complain

    async def _run(self, contender: "Contender", run: Try) -> None:
        failure = None
        try:
            await run(contender.exchange, contender)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again to whoever waits for the race
            failure = error
        finally:
            del self._running[contender]
        self._end(contender, failure)

    def _end(self, contender: "Contender", failure: Exception | None) -> None:
        if self.winner is None and failure is not None:
            self._attempts += contender.exchange.attempts - contender.attempts_before
            if not isinstance(self._failure, AttemptFailed):  # only such a one can be made good by a third replica
                self._failure = failure
                self.exchange.replica = contender.exchange.replica
            if not self._running or _is_final(failure):
                self.exchange.attempts = self._attempts
                self._finish(failure if _is_final(failure) else self._failure)
        elif self.winner in {None, contender}:
            self._take_over(contender)
            self._finish(failure)

    def _finish(self, failure: Exception | None) -> None:
        if self.over.done():
            return
        if failure is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(failure)

    def _take_over(self, contender: "Contender") -> None:
        for name in _TAKEN_OVER:
            setattr(self.exchange, name, getattr(contender.exchange, name))
        self.exchange.attempts = self._attempts + contender.exchange.attempts - contender.attempts_before


class Contender:
    """The sink of one try: what is written into it reaches the caller when the try wins, and is lost otherwise."""

    def __init__(self, contest: Contest, number: int) -> None:
        self.number = number
        self.exchange = dataclasses.replace(contest.exchange)
        self.attempts_before = contest.exchange.attempts
        self._contest = contest
        self._sink = contest.sink
        self._head: tuple[int, Headers] | None = None
        self._flow: Flow | None = None

    @property
    def is_gone(self) -> bool:
        """Nothing that is written arrives: the caller has left, or another try answers."""
        return self._sink.is_gone or self._contest.winner not in {None, self}

    @property
    def is_started(self) -> bool:
        """The head of the reply has been written, be it by this try or before it."""
        return self._sink.is_started

    def feed_from(self, flow: Flow | None) -> None:
        """Name the flow that is to wait when the caller is slow, should this try win."""
        self._flow = flow
        if self._contest.winner is self:
            self._sink.feed_from(flow)

    def start(self, status: int, headers: Headers) -> None:
        """Keep the head of the reply until something is said."""
        self._head = (status, headers)

    def write(self, data: bytes) -> None:
        """Say something; a comment wins nothing."""
        contest = self._contest
        if contest.winner is None:
            if self._is_comment():
                self._begin()
                contest.exchange.status = self.exchange.status
                contest.exchange.is_event_stream = True
            else:
                self._win()
        elif contest.winner is not self:
            return
        self._sink.write(data)

    def end(self) -> None:
        """Complete the reply."""
        if self._may_answer():
            self._sink.end()

    def cut(self) -> None:
        """Close the caller's connection behind what was written."""
        if self._may_answer():
            self._sink.cut()

    def drop(self) -> None:
        """Close the caller's connection at once, if this try has won."""
        if self._contest.winner is self:
            self._sink.drop()

    async def until(self, done: "asyncio.Future[T]") -> T:
        """Wait for `done`; whoever waits for the race keeps writing."""
        return await done

    def _is_comment(self) -> bool:
        """Say whether nothing but comments has been said so far."""
        watch = self.exchange.watch
        return self.exchange.is_event_stream and (watch is None or not watch.has_data)

    def _may_answer(self) -> bool:
        """Win, where nobody has; say whether this try is the one that answers."""
        if self._contest.winner is None:
            self._win()
        return self._contest.winner is self

    def _win(self) -> None:
        self._contest.win(self)
        self._sink.feed_from(self._flow)
        self._begin()

    def _begin(self) -> None:
        """Write the head, unless somebody has."""
        if self._head is not None and not self._sink.is_started:
            self._sink.start(*self._head)
        self._head = None


def _is_final(failure: Exception) -> bool:
    """Say whether another replica would fail in the same way."""
    return isinstance(failure, AttemptFailed) and not failure.verdict.is_retryable
