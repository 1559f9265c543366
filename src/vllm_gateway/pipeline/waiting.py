"""The turnstile before the replicas, for exchanges: who waits, what it hears meanwhile, and what it is charged."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from vllm_gateway.admission.turnstile import Turnstile, Who
from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange, Sink
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.heartbeat import audible
from vllm_gateway.upstream.replica import Replica


class Waiting:
    """Lets exchanges on to replicas that have room."""

    def __init__(
        self, turnstile: Turnstile[Replica], *, heartbeat_s: float, deadlines: Deadlines, clock: Clock
    ) -> None:
        self._turnstile = turnstile
        self._heartbeat_s = heartbeat_s
        self._deadlines = deadlines
        self._clock = clock

    async def enter(
        self,
        exchange: Exchange,
        replicas: Sequence[Replica],
        choose: Callable[[Sequence[Replica]], Replica],
        sink: Sink,
    ) -> Replica:
        """Return a replica on which a place was taken; a stream carries comments while it waits.

        It is chosen among those that have room: a warm cache is worth a wait behind others, not before a full replica.

        Raises:
            GatewayError: there is no room for one more to wait, or it took too long.
        """
        with audible(exchange, sink, every_s=self._heartbeat_s, deadlines=self._deadlines, clock=self._clock):
            return await self._turnstile.enter(_who(exchange), replicas, choose, partial(_wait, exchange, sink))

    def leave(self, exchange: Exchange, replica: Replica) -> None:
        """Give the place back."""
        usage = exchange.usage
        if usage is None and exchange.watch is not None:
            usage = exchange.watch.usage_so_far()
        tokens = usage.prompt_tokens + usage.completion_tokens if usage is not None else None
        self._turnstile.leave(_who(exchange), replica, tokens)


async def _wait(exchange: Exchange, sink: Sink, granted: "asyncio.Future[Replica]") -> Replica:
    with exchange.trail.waiting():
        return await sink.until(asyncio.shield(granted))  # who leaves is still in the queue for a moment


def _who(exchange: Exchange) -> Who:
    caller = exchange.caller
    return Who(caller.id or exchange.address, caller.priority, is_again=exchange.attempts > 0)
