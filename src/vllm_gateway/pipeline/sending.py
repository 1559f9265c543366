"""From what is asked to an answer: routed to those who serve the model, and relayed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from vllm_gateway.admission import rules
from vllm_gateway.errors import ModelUnknown, RouteUnsupported
from vllm_gateway.exchange import Asked, Exchange, Sink
from vllm_gateway.routing.affinity import Affinity, conversation_of
from vllm_gateway.routing.table import Table
from vllm_gateway.upstream.pool import Pool, Replica
from vllm_gateway.upstream.probe import Prober
from vllm_gateway.upstream.relay import Relay


class Sending:
    """Finds the replicas for what is asked, and has one of them answer it."""

    def __init__(self, *, table: Table, pool: Pool, prober: Prober, relay: Relay) -> None:
        self._table = table
        self._pool = pool
        self._prober = prober
        self._relay = relay
        self._affinity = Affinity()

    async def send(self, exchange: Exchange, asked: Asked, sink: Sink) -> None:
        """Have `asked` answered into `sink`; a caller's conversation goes on where it was last."""
        conversation = conversation_of(exchange.headers, asked.fields)
        if conversation is not None and exchange.prefers is None:
            exchange.prefers = self._affinity.find(exchange.caller.id, conversation)
        if asked.model is None and asked.is_any_model:
            await self.with_model(asked, partial(self._route_and_relay, exchange, sink))
        else:
            await self._route_and_relay(exchange, sink, asked)
        if conversation is not None and exchange.replica is not None:
            self._affinity.remember(exchange.caller.id, conversation, exchange.replica)

    async def relay(self, exchange: Exchange, asked: Asked, model: str, serving: list[Replica], sink: Sink) -> None:
        """Have one of `serving` answer."""
        exchange.asked = asked
        exchange.model = model
        await self._relay.run(exchange, serving, rules.outgoing_body(asked.body, asked, model), sink)

    async def route(self, asked: Asked) -> tuple[str, list[Replica]]:
        """Find who serves a model; a name that nobody serves may be a moment younger than the last look."""
        try:
            return self._table.find(asked.model, self._pool.replicas, route=asked.route)
        except ModelUnknown:
            await self._prober.look_again()
            return self._table.find(asked.model, self._pool.replicas, route=asked.route)

    async def with_model(self, asked: Asked, answer: Callable[[Asked], Awaitable[None]]) -> None:
        """Have `asked` answered with the model that it names; without one, with the first that offers its route.

        Raises:
            RouteUnsupported: none of the models does.
        """
        choices = self._choices(asked)
        if choices is None:
            await answer(asked)
            return
        for name, route in choices:
            try:
                await answer(replace(asked, model=name, route=route))
            except (ModelUnknown, RouteUnsupported):
                if len(choices) == 1:
                    raise
            else:
                return
        raise RouteUnsupported(f"No model server offers {asked.path}.")

    def _choices(self, asked: Asked) -> list[tuple[str, str | None]] | None:
        """Return the models that may be meant, each with its route; None when there is nothing to choose."""
        if asked.model is not None or not asked.is_any_model or self._table.rejects_ambiguous:
            return None
        return self._table.find_all(self._pool.replicas, route=asked.route) or None

    async def _route_and_relay(self, exchange: Exchange, sink: Sink, asked: Asked) -> None:
        model, serving = await self.route(asked)
        await self.relay(exchange, asked, model, serving, sink)
