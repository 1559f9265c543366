"""Where requests wait while every replica that could answer is full."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from vllm_gateway.admission.fair import WEIGHTS, FairQueue
from vllm_gateway.callers import Priority
from vllm_gateway.clock import Clock
from vllm_gateway.errors import QueueFull, QueueTimeout, ReplicasUnusable
from vllm_gateway.settings.admission import Queue

_FIRST_GUESS_TOKENS = 256.0
_LEARNING = 0.1
"""How much the latest request counts when the next one's tokens, or the time until the next place, are guessed."""
_RETRY_S = (1.0, 60.0)


class Server(Protocol):
    """What the turnstile knows of a replica."""

    outstanding: int
    """Requests that it is answering."""

    @property
    def name(self) -> str:
        """Names it."""
        ...

    @property
    def is_usable(self) -> bool:
        """It may be asked at all."""
        ...

    @property
    def has_room(self) -> bool:
        """It may be asked one thing more."""
        ...


S = TypeVar("S", bound=Server)


@dataclass(frozen=True, slots=True)
class Who:
    """Who wants to go."""

    caller: str
    priority: Priority
    is_again: bool = False
    """It has had its turn, and the replica failed."""


@dataclass(eq=False, slots=True)
class Ticket(Generic[S]):
    """One request that waits."""

    who: Who
    servers: Sequence[S]
    granted: "asyncio.Future[S]"


class Turnstile(Generic[S]):
    """Lets requests go on to replicas that have room, the fairest first."""

    def __init__(self, settings: Queue, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._queue: FairQueue[Ticket[S]] = FairQueue()
        self._waiting: Counter[frozenset[str]] = Counter()
        """How many wait for the same replicas."""
        self._guess_tokens = _FIRST_GUESS_TOKENS
        self._pause_s = 0.0
        """Between two places that became free while somebody waited."""
        self._freed_at = clock.now()
        self.waits = 0
        """How many requests have had to wait."""

    @property
    def waiting(self) -> int:
        """How many requests wait now."""
        return len(self._queue)

    def take_over(self, settings: Queue) -> None:
        """Let so many wait, and so long, from now on."""
        self._settings = settings

    async def enter(
        self,
        who: Who,
        servers: Sequence[S],
        choose: Callable[[Sequence[S]], S],
        wait: "Callable[[asyncio.Future[S]], Awaitable[S]]",
    ) -> S:
        """Return a replica on which a place has been taken; `leave` gives it back.

        Args:
            who: Who wants to go.
            servers: The replicas that could answer.
            choose: Picks one of those that have room.
            wait: Waits for a future in the caller's own way.

        Raises:
            QueueFull: too many wait already.
            QueueTimeout: no place became free in time.
            ReplicasUnusable: none of the replicas is healthy any more.
        """
        free = [server for server in servers if server.has_room] if not self._queue else []
        if free:
            server = choose(free)
            self._take(who, server)
            return server
        names = frozenset(server.name for server in servers)
        if self._waiting[names] >= self._settings.size:
            raise QueueFull("All model servers are busy, and too many wait.", retry_after_s=self._retry_s())
        self.waits += 1
        self._waiting[names] += 1
        try:
            return await self._wait(Ticket(who, servers, asyncio.get_running_loop().create_future()), wait)
        finally:
            self._waiting[names] -= 1
            if not self._waiting[names]:
                del self._waiting[names]

    def leave(self, who: Who, server: S, used_tokens: int | None) -> None:
        """Give a place back; `used_tokens` is what the request has come to, None when nobody knows."""
        server.outstanding -= 1
        self._queue.end(who.caller, used_tokens, WEIGHTS[who.priority])
        if used_tokens is not None:
            self._guess_tokens += _LEARNING * (used_tokens - self._guess_tokens)
        self.look(server)

    def look(self, server: S) -> None:
        """See whether a replica has room for somebody who waits, and whether those who wait still have replicas."""
        while self._queue and server.has_room:
            ticket = self._queue.pop(lambda each: server in each.servers)
            if ticket is None:
                return
            now = self._clock.now()
            self._pause_s += _LEARNING * (now - self._freed_at - self._pause_s)
            self._freed_at = now
            self._take(ticket.who, server)
            ticket.granted.set_result(server)
        if self._queue and not server.is_usable:
            self._send_away()

    def _send_away(self) -> None:
        """Tell those whose replicas have all become unusable."""
        for ticket in list(self._queue):
            if not any(server.is_usable for server in ticket.servers):
                self._queue.leave(ticket.who.caller, ticket)
                sentence = "No model server for this model is healthy any more. Try again in a moment."
                ticket.granted.set_exception(ReplicasUnusable(sentence, retry_after_s=5))

    async def _wait(self, ticket: Ticket[S], wait: "Callable[[asyncio.Future[S]], Awaitable[S]]") -> S:
        if ticket.who.is_again:
            self._queue.join_front(ticket)
        else:
            self._queue.join(ticket.who.caller, ticket)
        for server in ticket.servers:
            self.look(server)  # those who wait may all wait for others
        try:
            async with asyncio.timeout(self._settings.wait_s):
                return await wait(ticket.granted)
        except TimeoutError:
            self._abandon(ticket)
            sentence = f"All model servers were busy for {self._settings.wait_s:g} s."
            raise QueueTimeout(sentence, retry_after_s=self._retry_s()) from None
        except BaseException:  # whatever ends the wait, nobody must be left in the queue
            self._abandon(ticket)
            raise

    def _abandon(self, ticket: Ticket[S]) -> None:
        """Take somebody out who does not wait any more; a place that was just given goes to the next."""
        granted = ticket.granted
        self._queue.leave(ticket.who.caller, ticket)
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            server = granted.result()
            server.outstanding -= 1
            self._queue.end(ticket.who.caller, 0.0, WEIGHTS[ticket.who.priority])
            self.look(server)
        granted.cancel()

    def _take(self, who: Who, server: S) -> None:
        server.outstanding += 1
        self._queue.begin(who.caller, self._guess_tokens, WEIGHTS[who.priority])

    def _retry_s(self) -> float:
        """Return when a place is likely to be free for one more."""
        least, most = _RETRY_S
        return min(max(least, (len(self._queue) + 1) * self._pause_s), most)
