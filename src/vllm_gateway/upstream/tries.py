"""One replica is asked, and its answer passed on or found wanting; what that says of the replica is taken down."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from vllm_gateway.clock import Clock
from vllm_gateway.errors import ReplicaUnreachable
from vllm_gateway.exchange import Exchange, Sink
from vllm_gateway.settings.model import Timeouts
from vllm_gateway.trail import Call
from vllm_gateway.upstream.answers import AttemptFailed, NewStream
from vllm_gateway.upstream.attempt import Attempt
from vllm_gateway.upstream.connection import Connection, ConnectionFault
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.tally import CANCELLED, OK
from vllm_gateway.upstream.verdicts import Verdict

log = logging.getLogger(__name__)

_OK = int(HTTPStatus.OK)  # looking the member up takes longer than the rest of the statement
_STALE_S = 0.5
"""How soon a connection that was closed while it was free shows it. Later, the replica may have worked on it."""
FORWARDED = frozenset({b"anthropic-version", b"anthropic-beta", b"endpoint-load-metrics-format"})
"""The caller's headers that reach a replica. All others stay here: they hold keys, or steer what is the gateway's to
steer."""

Choose = Callable[[Sequence[Replica]], Replica]
"""Picks the replica that is to answer; there is at least one."""


class Rooms(Protocol):
    """Hands out places on replicas that can take only so much."""

    async def enter(self, exchange: Exchange, replicas: Sequence[Replica], choose: Choose, sink: Sink) -> Replica:
        """Return a replica on which a place was taken for the exchange."""
        ...

    def leave(self, exchange: Exchange, replica: Replica) -> None:
        """Give the place back."""
        ...


@dataclass(slots=True)
class Question:
    """What a replica is asked."""

    path: str
    headers: bytes
    body: bytes


@dataclass(slots=True)
class Errand:
    """For whom it is asked, and where the answer goes."""

    exchange: Exchange
    sink: Sink
    timeouts: Timeouts
    stream: NewStream


class Tries:
    """Asks replicas, one at a time for each exchange."""

    def __init__(self, pool: Pool, *, rooms: Rooms | None, deadlines: Deadlines, clock: Clock) -> None:
        self.tally = pool.tally
        self._pool = pool
        self._rooms = rooms
        self.has_rooms = rooms is not None
        """Places are handed out, so that one may have to be waited for."""
        self._deadlines = deadlines
        self._clock = clock
        self._trials: set[tuple[str, str]] = set()
        """Exchanges that try a replica which was out, each with its replica."""
        self._loop = asyncio.get_running_loop()  # kept, because asking for it is a system call in Python 3.11

    async def place(self, exchange: Exchange, replicas: Sequence[Replica], choose: Choose, sink: Sink) -> Replica:
        """Take a place on one of the replicas, and wait for one where all of them are full."""
        if self._rooms is None:
            return self.take(exchange, choose(replicas))
        return self._taken(exchange, await self._rooms.enter(exchange, replicas, choose, sink))

    def take(self, exchange: Exchange, replica: Replica) -> Replica:
        """Take a place on a replica, where nobody hands them out."""
        replica.outstanding += 1
        return self._taken(exchange, replica)

    def _taken(self, exchange: Exchange, replica: Replica) -> Replica:
        """Take note of what follows from a place that was taken."""
        if replica.asked():
            self._trials.add((exchange.id, replica.name))
        replica.work += exchange.work
        self._pool.chosen(replica)
        return replica

    async def ask(self, errand: Errand, replica: Replica, question: Question) -> None:
        """Ask the replica on which a place was taken; a connection that it had closed while it was free is no failure.

        Raises:
            AttemptFailed: there is no whole answer.
        """
        exchange, result = errand.exchange, CANCELLED
        began = now = self._clock.now()
        exchange.attempts += 1
        exchange.replica = replica.name
        trail, call = exchange.trail, Call(replica.name, question.path, began)
        trail.calls.append(call)
        is_first = trail.route_s is None
        if is_first:
            trail.route_s = trail.step_at(began) - trail.queue_s
        try:
            headers = question.headers if trail.trace is None else question.headers + trail.trace.told(call)
            request = replica.request(
                b"POST", question.path, headers, question.body, callers_key=exchange.caller.upstream_key
            )
            try:
                connection = replica.take_idle(now)
                if connection is None:
                    connection = await _connected(replica)
                    now = self._clock.now()
                call.connected_at = now
                if is_first:
                    trail.connect_s = trail.step_at(now)
                await self._hear(errand, connection, replica, request)
            except AttemptFailed as failed:
                if not failed.is_stale:
                    raise
                failed.is_broken = True  # unless it is soon shown that only the connection was old
                if self._clock.now() - began > _STALE_S:
                    raise
                await self._hear(errand, await _reconnected(replica, failed), replica, request)
            replica.see(Sign.ANSWERED)
            result, call.status = OK, _OK
        except AttemptFailed as failed:
            result, call.status = failed.verdict.error.code, failed.status
            failed.lasted_s = self._clock.now() - began
            _learn(exchange, replica, question, failed)  # first: the place goes to nobody when the replica is out
            raise
        finally:
            self.tally.attempts[replica.name, result] += 1
            call.result, call.ended = result, self._clock.now()
            self.leave(exchange, replica)

    def leave(self, exchange: Exchange, replica: Replica) -> None:
        """Give the place back."""
        replica.work -= exchange.work
        if self._trials and (exchange.id, replica.name) in self._trials:
            self._trials.discard((exchange.id, replica.name))
            replica.unasked()
        if self._rooms is not None:
            self._rooms.leave(exchange, replica)
        else:
            replica.outstanding -= 1

    async def _hear(self, errand: Errand, connection: Connection, replica: Replica, request: bytes) -> None:
        """Send the request, and wait until its answer has been passed on or has failed."""
        finished: asyncio.Future[None] = self._loop.create_future()
        sink = errand.sink
        attempt = Attempt(
            errand.exchange,
            connection,
            sink,
            errand.stream,
            finished=finished,
            timeouts=errand.timeouts,
            now=self._clock.now(),
            stands_still=replica.stands_still,
        )
        self._deadlines.add(attempt)
        sink.feed_from(attempt)
        try:
            connection.send(request, attempt)
            await sink.until(finished)
        except BaseException:
            if finished.done() and not finished.cancelled():
                finished.exception()  # a caller who left did not wait for it; asyncio would complain
            raise
        finally:
            sink.feed_from(None)
            self._deadlines.remove(attempt)
            replica.give_back(connection)


def first_question(exchange: Exchange, body: bytes) -> Question:
    """Return what the first replica is asked."""
    lines = b"Content-Type: application/json\r\nX-Request-Id: %b\r\n" % exchange.id.encode()
    if exchange.sends_any(FORWARDED):
        for name, value in exchange.headers:
            if name in FORWARDED:
                lines += b"%b: %b\r\n" % (name, value)
    path = exchange.asked.path if exchange.asked is not None else exchange.operation.path
    return Question(path, lines, body)


def _learn(exchange: Exchange, replica: Replica, question: Question, failed: AttemptFailed) -> None:
    """Take from a failure what it says about the replica."""
    if failed.verdict.sign is not None:
        replica.see(failed.verdict.sign)
    if failed.verdict.lacks_route:
        replica.lacks.add(question.path)
    told = (
        exchange.id,
        replica.name,
        failed.verdict.error.code,
        failed.status,
    )  # not its words: they may be the caller's
    log.debug("exchange %s: replica %s: %s, status %d", *told)


async def _connected(replica: Replica) -> Connection:
    try:
        return await replica.connect()
    except ConnectionFault as fault:
        error = ReplicaUnreachable("The model server cannot be reached.")
        raise AttemptFailed(Verdict(error, is_retryable=True, sign=Sign.UNREACHABLE)) from fault


async def _reconnected(replica: Replica, failed: AttemptFailed) -> Connection:
    """Return a new connection; when there is none, the replica went away with the request, not before it."""
    try:
        return await _connected(replica)
    except AttemptFailed as gone:
        gone.is_broken = failed.is_broken
        raise
