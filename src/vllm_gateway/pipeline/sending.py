"""From what is asked to an answer: routed to those who serve the model, and relayed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from vllm_gateway.admission.rules.outgoing import Outgoing
from vllm_gateway.callers import Priority
from vllm_gateway.dialects.live_usage import telling_usage
from vllm_gateway.dialects.recovery.recovery import ChunkRecovery
from vllm_gateway.dialects.recovery.safety import Ways, ways_of
from vllm_gateway.errors import ModelUnknown, RouteUnsupported
from vllm_gateway.exchange import Asked, Exchange, Sink
from vllm_gateway.pipeline.caching import Caching
from vllm_gateway.pipeline.clamp import Clamp, max_model_len
from vllm_gateway.pipeline.falling_back import Answer, FallingBack
from vllm_gateway.pipeline.metering import Metering
from vllm_gateway.pipeline.replaying import Give
from vllm_gateway.pipeline.screening import Screening
from vllm_gateway.routing.affinity import SESSION_HEADERS, Affinity, conversation_of
from vllm_gateway.routing.policies import Policy
from vllm_gateway.routing.table import Table
from vllm_gateway.settings.fleet import Resume
from vllm_gateway.upstream.kin import roots_of
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import Prober
from vllm_gateway.upstream.relay import Relay
from vllm_gateway.upstream.replica import Replica

_PRIORITIES = {Priority.INTERACTIVE: 0, Priority.STANDARD: 1, Priority.BATCH: 2}
"""In vLLM's terms: lower goes first."""
_PRIORITIZED = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/responses"})
"""The routes whose bodies have a place for it."""


class Sending:
    """Finds the replicas for what is asked, and has one of them answer it."""

    def __init__(
        self,
        *,
        table: Table,
        pool: Pool,
        prober: Prober,
        relay: Relay,
        metering: Metering,
        caching: Caching,
        bills_hits: bool,
        is_written_down: bool,
        outgoing: Outgoing,
        policy_of: Callable[[str], Policy],
        affinity: Affinity,
        falling_back: FallingBack,
        resume: Resume,
        clamp: Clamp | None = None,
        screening: Screening | None = None,
    ) -> None:
        self._table = table
        self._pool = pool
        self._prober = prober
        self._relay = relay
        self._metering = metering
        self._caching = caching
        self._bills_hits = bills_hits
        self._is_written_down = is_written_down
        self._outgoing = outgoing
        self._policy_of = policy_of
        self._falling_back = falling_back
        self._resume = resume
        self._clamp = clamp
        self._screening = screening
        self._affinity = affinity

    def send(self, exchange: Exchange, asked: Asked, sink: Sink) -> Awaitable[None]:
        """Have `asked` answered into `sink`; a caller's conversation goes on where it was last."""
        is_named = exchange.sends_any(SESSION_HEADERS.keys())
        conversation = conversation_of(exchange.headers if is_named else (), asked.fields)
        if conversation is not None:
            return self._send_in(conversation, exchange, asked, sink)
        return self._send(exchange, asked, sink)

    async def _send_in(self, conversation: str, exchange: Exchange, asked: Asked, sink: Sink) -> None:
        if exchange.prefers is None:
            exchange.prefers = self._affinity.find(exchange.caller.id, conversation)
        await self._send(exchange, asked, sink)
        if exchange.replica is not None:
            self._affinity.remember(exchange.caller.id, conversation, exchange.replica)

    def _send(self, exchange: Exchange, asked: Asked, sink: Sink) -> Awaitable[None]:
        answer = partial(self._route_and_relay, exchange, sink)
        if asked.model is None and asked.is_any_model:
            return self.with_model(exchange, asked, sink, answer)
        return self._with_stand_ins(exchange, asked, sink, answer)

    def relay(
        self, exchange: Exchange, asked: Asked, model: str, serving: list[Replica], sink: Sink
    ) -> Awaitable[None]:
        """Have one of `serving` answer."""
        if self._clamp is None:
            return self._relay_fitted(exchange, asked, model, serving, sink)
        return self._relay_clamped(exchange, asked, model, serving, sink, clamp=self._clamp)

    async def _relay_clamped(
        self, exchange: Exchange, asked: Asked, model: str, serving: list[Replica], sink: Sink, *, clamp: Clamp
    ) -> None:
        asked = await clamp.fitted(asked, model, serving, prefers=exchange.prefers)
        await self._relay_fitted(exchange, asked, model, serving, sink)

    def _relay_fitted(
        self, exchange: Exchange, asked: Asked, model: str, serving: list[Replica], sink: Sink
    ) -> Awaitable[None]:
        """Have it answered by one of `serving`, or by what is kept."""
        exchange.model = model
        if not self._caching.concerns(exchange):
            return self._relay_new(model, serving, exchange, asked, sink)
        relay = partial(self._relay_new, model, serving)
        bill = partial(self._bill, model, serving) if self._bills_hits and self._metering.concerns(exchange) else None
        origin = (serving[0].route, *roots_of(serving, model))
        return self._caching.answer(exchange, asked, sink, relay, model=model, origin=origin, bill=bill)

    async def _bill(self, model: str, serving: list[Replica], exchange: Exchange, asked: Asked, give: Give) -> None:
        """Have a kept answer given, within the limits."""
        await self._metering.relay(exchange, asked, give, model=model, serving=serving)

    def _relay_new(
        self, model: str, serving: list[Replica], exchange: Exchange, asked: Asked, sink: Sink
    ) -> Awaitable[None]:
        """Have one of `serving` answer, within the limits."""
        if self._screening is None and not self._metering.concerns(exchange):
            return self._relay_as(exchange, model, serving, asked, sink)  # by far the most common, and the shortest way
        relay = partial(self._relay_screened, exchange, model, serving, sink)
        return self._metering.relay(
            exchange,
            asked,
            relay,
            model=model,
            serving=serving,
            hands_back=self._falling_back.others,
        )

    async def route(self, exchange: Exchange, asked: Asked) -> tuple[str, list[Replica]]:
        """Find who serves a model; a name that nobody serves may be a moment younger than the last look."""
        table = self._table
        if asked.is_stand_in:
            table = replace(table, allowed_models=())  # nobody asked for it
        if exchange.caller.models:
            table = table.within(exchange.caller.models)
        try:
            return table.find(asked.model, self._pool.replicas, route=asked.route)
        except ModelUnknown:
            await self._prober.look_again()
            return table.find(asked.model, self._pool.replicas, route=asked.route)

    async def with_model(self, exchange: Exchange, asked: Asked, sink: Sink, answer: Answer) -> None:
        """Have `asked` answered with the model that it names; without one, with the first that offers its route.

        When the model cannot answer, one that stands in for it does.

        Raises:
            RouteUnsupported: none of the models does.
        """
        choices = self._choices(exchange, asked)
        if choices is None:
            await self._with_stand_ins(exchange, asked, sink, answer)
            return
        for name, route in choices:
            try:
                await self._with_stand_ins(exchange, replace(asked, model=name, route=route), sink, answer)
            except (ModelUnknown, RouteUnsupported):
                if len(choices) == 1:
                    raise
            else:
                return
        raise RouteUnsupported(f"No model server offers {asked.path}.")

    def _with_stand_ins(self, exchange: Exchange, asked: Asked, sink: Sink, answer: Answer) -> Awaitable[None]:
        if not self._falling_back.is_needed:
            return answer(asked)

        async def stand_in(other: Asked) -> None:
            await answer(replace(other, is_stand_in=True))

        return self._falling_back.answer(exchange, asked, sink, first=answer, other=stand_in)

    def _choices(self, exchange: Exchange, asked: Asked) -> list[tuple[str, str | None]] | None:
        """Return the models that may be meant, each with its route; None when there is nothing to choose."""
        if asked.model is not None or not asked.is_any_model or self._table.rejects_ambiguous:
            return None
        table = self._table.within(exchange.caller.models)
        return table.find_all(self._pool.replicas, route=asked.route) or None

    def _relay_screened(
        self, exchange: Exchange, model: str, serving: list[Replica], sink: Sink, asked: Asked
    ) -> Awaitable[None]:
        """Relay what metering has let through, past the deny-list."""
        if self._screening is None:
            return self._relay_as(exchange, model, serving, asked, sink)
        return self._screening.relay(exchange, asked, sink, partial(self._relay_as, exchange, model, serving))

    def _relay_as(
        self, exchange: Exchange, model: str, serving: list[Replica], asked: Asked, sink: Sink
    ) -> Awaitable[None]:
        if self._is_written_down and not asked.tells_usage:
            asked = telling_usage(asked)  # a caller who leaves has used what was told until then
        exchange.asked = asked
        caller, priority = exchange.caller, None
        if serving[0].takes_priority and asked.path in _PRIORITIZED and all(each.takes_priority for each in serving):
            priority = _PRIORITIES[caller.priority]
        ways = self._ways_on(asked, serving)
        body = self._outgoing.body(
            asked.body,
            asked,
            model,
            caller,
            live=asked.tells_usage,
            priority=priority,
            token_ids=ways is not None and ways.by_ids,
        )
        new_recovery = None
        if ways is not None:
            length = max_model_len(model, serving)
            new_recovery = partial(ChunkRecovery, asked, body, ways, self._resume, max_model_len=length)
        self._policy_of(serving[0].route).look(exchange, asked)
        return self._relay.run(exchange, serving, body, sink, new_recovery)

    def _ways_on(self, asked: Asked, serving: list[Replica]) -> Ways | None:
        """Return how another replica could go on with a stream; None when none could.

        Servers that are not vLLM may refuse to be asked for token ids, and have no version.
        """
        if not asked.is_chunks or len(serving) == 1 or not self._resume.enabled:
            return None
        ways = ways_of(asked, self._resume)
        if ways.by_ids and not all(replica.version for replica in serving if replica.is_usable):
            return replace(ways, by_ids=False, reason="not vLLM")
        return ways

    async def _route_and_relay(self, exchange: Exchange, sink: Sink, asked: Asked) -> None:
        model, serving = await self.route(exchange, asked)
        await self.relay(exchange, asked, model, serving, sink)
