"""From the replicas that can answer to an answer: choose, try, and try another while the caller has seen nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from vllm_gateway.clock import Clock
from vllm_gateway.errors import ReplicasUnusable, ReplicaUnreachable, RouteUnsupported
from vllm_gateway.exchange import Exchange, Sink, wait_headers
from vllm_gateway.settings.model import Retry, Timeouts
from vllm_gateway.upstream.answers import AttemptFailed, start
from vllm_gateway.upstream.attempt import Attempt
from vllm_gateway.upstream.budget import RetryBudget
from vllm_gateway.upstream.connection import Connection, ConnectionFault
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.pool import Pool, Replica
from vllm_gateway.upstream.verdicts import Verdict

log = logging.getLogger(__name__)

_STALE_S = 0.5
"""How soon a connection that was closed while it was free shows it. Later, the replica may have worked on it."""
FORWARDED = frozenset({b"anthropic-version", b"anthropic-beta", b"endpoint-load-metrics-format"})
"""The caller's headers that reach a replica. All others stay here: they hold keys, or steer what is the gateway's to
steer."""


class Rooms(Protocol):
    """Hands out places on replicas that can take only so much."""

    async def enter(
        self,
        exchange: Exchange,
        replicas: Sequence[Replica],
        choose: Callable[[Sequence[Replica], str | None], Replica],
        sink: Sink,
    ) -> Replica:
        """Return a replica on which a place was taken for the exchange."""
        ...

    def leave(self, exchange: Exchange, replica: Replica) -> None:
        """Give the place back."""
        ...


class Relay:
    """Gets an exchange answered by one of the replicas it is given."""

    def __init__(
        self,
        pool: Pool,
        *,
        rooms: Rooms | None = None,
        choose: Callable[[Sequence[Replica], str | None], Replica],
        retry: Retry,
        timeouts: Timeouts,
        deadlines: Deadlines,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._rooms = rooms
        self._choose = choose
        self._most_attempts = retry.attempts
        self._budget = RetryBudget(percent=retry.budget_percent, clock=clock)
        self._timeouts = timeouts
        self._deadlines = deadlines
        self._clock = clock
        self._loop = asyncio.get_running_loop()  # kept, because asking for it is a system call in Python 3.11

    async def run(self, exchange: Exchange, serving: Sequence[Replica], body: bytes, sink: Sink) -> None:
        """Pass on the answer of one of `serving` to `sink`.

        Raises:
            GatewayError: nobody answered, or an answer broke off after its beginning had reached the caller.
        """
        self._budget.earn()
        untried = self._fit(exchange, serving)
        headers = _headers(exchange)
        while True:
            replica = await self._place(exchange, untried, sink)
            untried.remove(replica)
            try:
                await self._try(exchange, replica, headers, body, sink)
            except AttemptFailed as failed:
                if not untried or not self._may_go_on(exchange, failed.verdict):
                    _conclude(exchange, failed, sink)
                    return
            else:
                return

    def _fit(self, exchange: Exchange, serving: Sequence[Replica]) -> list[Replica]:
        """Return the replicas that may be asked; raise when there is none."""
        usable = [replica for replica in serving if replica.is_usable]
        if not usable:
            raise ReplicasUnusable("No model server for this model is healthy. Try again in a moment.", retry_after_s=5)
        path = _path(exchange)
        fit = [replica for replica in usable if path not in replica.lacks]
        if not fit:
            raise RouteUnsupported(f"No model server offers {path} for this model.")
        return fit

    async def _place(self, exchange: Exchange, untried: Sequence[Replica], sink: Sink) -> Replica:
        """Take a place on one of the replicas, and wait for one where all of them are full."""
        if self._rooms is not None:
            return await self._rooms.enter(exchange, untried, self._choose, sink)
        replica = self._choose(untried, exchange.prefers)
        replica.outstanding += 1
        return replica

    def _give_back(self, exchange: Exchange, replica: Replica) -> None:
        if self._rooms is not None:
            self._rooms.leave(exchange, replica)
        else:
            replica.outstanding -= 1

    def _may_go_on(self, exchange: Exchange, verdict: Verdict) -> bool:
        """Say whether another replica may be asked; one that only lacks the route has cost nothing."""
        if verdict.lacks_route:
            exchange.attempts -= 1
            return True
        return verdict.is_retryable and exchange.attempts < self._most_attempts and self._budget.spend()

    def _learn(self, exchange: Exchange, replica: Replica, failed: AttemptFailed) -> None:
        """Take from a failure what it says about the replica."""
        if failed.verdict.sign is not None:
            replica.see(failed.verdict.sign)
        if failed.verdict.lacks_route:
            replica.lacks.add(_path(exchange))
        log.debug("exchange %s: replica %s: %r", exchange.id, replica.name, str(failed))  # it may be in its words

    async def _try(self, exchange: Exchange, replica: Replica, headers: bytes, body: bytes, sink: Sink) -> None:
        """Ask one replica; a connection that it had closed while it was free is no failure of anybody."""
        began = self._clock.now()
        try:
            exchange.attempts += 1
            exchange.replica = replica.name
            request = replica.request(b"POST", _path(exchange), headers, body, callers_key=exchange.caller.upstream_key)
            self._pool.chosen(replica)
            try:
                await self._hear(exchange, replica, await _connected(replica.checkout), request, sink)
            except AttemptFailed as failed:
                if not failed.is_stale or self._clock.now() - began > _STALE_S:
                    raise
                await self._hear(exchange, replica, await _connected(replica.connect), request, sink)
        except AttemptFailed as failed:
            self._learn(exchange, replica, failed)  # first: the place goes to nobody when the replica is out
            raise
        finally:
            self._give_back(exchange, replica)
        if replica.health.failures:
            replica.see(Sign.ANSWERED)

    async def _hear(
        self, exchange: Exchange, replica: Replica, connection: Connection, request: bytes, sink: Sink
    ) -> None:
        """Send the request, and wait until its answer has been passed on or has failed."""
        finished: asyncio.Future[None] = self._loop.create_future()
        now = self._clock.now()
        attempt = Attempt(exchange, connection, sink, finished=finished, timeouts=self._timeouts, now=now)
        self._deadlines.add(attempt)
        sink.feed_from(attempt)
        try:
            connection.send(request, attempt)
            await sink.until(finished)
        finally:
            sink.feed_from(None)
            self._deadlines.remove(attempt)
            replica.give_back(connection)
            if finished.done() and not finished.cancelled():
                finished.exception()  # a caller who left did not wait for it; asyncio would complain


async def _connected(connect: Callable[[], Awaitable[Connection]]) -> Connection:
    try:
        return await connect()
    except ConnectionFault as fault:
        error = ReplicaUnreachable("The model server cannot be reached.")
        raise AttemptFailed(Verdict(error, is_retryable=True, sign=Sign.UNREACHABLE)) from fault


def _path(exchange: Exchange) -> str:
    return exchange.asked.path if exchange.asked is not None else exchange.operation.path


def _headers(exchange: Exchange) -> bytes:
    """Return the lines of a request's head that differ from request to request."""
    lines = [b"Content-Type: application/json\r\nX-Request-Id: ", exchange.id.encode(), b"\r\n"]
    for name, value in exchange.headers:
        if name in FORWARDED:
            lines += (name, b": ", value, b"\r\n")
    return b"".join(lines)


def _conclude(exchange: Exchange, failed: AttemptFailed, sink: Sink) -> None:
    """Pass on the replica's own words where they are fit for the caller; raise the error otherwise."""
    error = failed.verdict.error
    if not failed.verdict.passes or sink.is_started:
        raise error from failed
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(failed.body))]
    start(exchange, sink, failed.status, headers + wait_headers(error))
    sink.write(failed.body)
    sink.end()
