"""The turnstile before the replicas, for exchanges: who waits, what it hears meanwhile, and what it is charged."""

from collections.abc import Callable, Sequence
from functools import partial

from vllm_gateway.admission.turnstile import Turnstile, Who
from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange, Sink
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.heartbeat import Heartbeat
from vllm_gateway.upstream.pool import Replica

_STREAMED = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"})
"""The routes of vLLM whose streams take comments."""


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
        choose: Callable[[Sequence[Replica], str | None], Replica],
        sink: Sink,
    ) -> Replica:
        """Return a replica on which a place was taken; a stream carries comments while it waits.

        Raises:
            GatewayError: there is no room for one more to wait, or it took too long.
        """
        chosen = partial(choose_preferred, choose, exchange.prefers)
        if not self._hears_comments(exchange):
            return await self._turnstile.enter(_who(exchange), replicas, chosen, sink.until)
        audible = Heartbeat(exchange, sink, every_s=self._heartbeat_s, clock=self._clock)
        self._deadlines.add(audible)
        try:
            return await self._turnstile.enter(_who(exchange), replicas, chosen, sink.until)
        finally:
            self._deadlines.remove(audible)

    def leave(self, exchange: Exchange, replica: Replica) -> None:
        """Give the place back."""
        usage = exchange.usage
        if usage is None and exchange.watch is not None:
            usage = exchange.watch.usage_so_far()
        tokens = usage.prompt_tokens + usage.completion_tokens if usage is not None else None
        self._turnstile.leave(_who(exchange), replica, tokens)

    def _hears_comments(self, exchange: Exchange) -> bool:
        """Say whether comments are to be sent here; some routes have them all the time anyway."""
        asked = exchange.asked
        is_stream = asked is not None and asked.stream and asked.path in _STREAMED
        return is_stream and self._heartbeat_s > 0 and not exchange.operation.has_heartbeat


def choose_preferred(
    choose: Callable[[Sequence[Replica], str | None], Replica], prefers: str | None, free: Sequence[Replica]
) -> Replica:
    """Choose among those that have room; a warm cache is worth a wait only behind others, not before a full replica."""
    return choose(free, prefers)


def _who(exchange: Exchange) -> Who:
    caller = exchange.caller
    return Who(caller.id or exchange.address, caller.priority, is_again=exchange.attempts > 0)
