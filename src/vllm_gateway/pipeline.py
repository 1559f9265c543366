"""The story of an exchange: understood, routed, relayed, accounted for."""

import asyncio
import logging
from http import HTTPStatus

from vllm_gateway.admission import rules
from vllm_gateway.errors import Draining, GatewayError, InternalFault, ModelUnknown
from vllm_gateway.exchange import CallerGone, Exchange, Sink
from vllm_gateway.outcomes import Outcome
from vllm_gateway.routing.table import Table
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.upstream.pool import Pool, Replica
from vllm_gateway.upstream.probe import Prober
from vllm_gateway.upstream.relay import Relay

log = logging.getLogger(__name__)


class Pipeline:
    """What every lane runs for every exchange."""

    def __init__(self, *, table: Table, pool: Pool, prober: Prober, relay: Relay, ledger: Ledger) -> None:
        self.is_draining = False
        """New exchanges are refused; those under way go on."""
        self._table = table
        self._pool = pool
        self._prober = prober
        self._relay = relay
        self._ledger = ledger

    async def run(self, exchange: Exchange, sink: Sink) -> None:
        """Answer an exchange into `sink`; it is closed with its outcome, whatever happens.

        Raises:
            GatewayError: it was not answered, or not to the end; the caller is still to be told.
        """
        self._ledger.open(exchange)
        outcome = Outcome.INTERNAL_ERROR
        try:
            await self._answer(exchange, sink)
            outcome = _success(exchange)
        except GatewayError as error:
            outcome = error.outcome
            raise
        except CallerGone:
            outcome = Outcome.CLIENT_GONE
        except asyncio.CancelledError:
            if sink.is_gone:
                outcome = Outcome.CLIENT_GONE
            elif exchange.stopped_by is not None:
                outcome = exchange.stopped_by.outcome
                raise exchange.stopped_by from None
            else:
                raise
        except Exception as error:  # the last line before the caller: whatever it is, it must not show
            log.exception("exchange %s failed", exchange.id)
            raise InternalFault("Something went wrong inside the gateway.") from error
        finally:
            exchange.task = None
            self._ledger.close(exchange, outcome)

    async def _answer(self, exchange: Exchange, sink: Sink) -> None:
        if self.is_draining:
            raise Draining("The gateway is shutting down. Try again in a moment.", retry_after_s=1)
        exchange.body = await exchange.receive()
        exchange.asked = asked = exchange.operation.read(exchange.body)
        rules.check(asked)
        model, serving = await self._route(asked.model)
        exchange.model = model
        body = rules.outgoing_body(exchange.body, asked, model)
        await self._relay.run(exchange, serving, body, sink)

    async def _route(self, model: str | None) -> tuple[str, list[Replica]]:
        """Find who serves a model; a name that nobody serves may be a moment younger than the last look."""
        try:
            return self._table.find(model, self._pool.replicas)
        except ModelUnknown:
            await self._prober.look_again()
            return self._table.find(model, self._pool.replicas)


def _success(exchange: Exchange) -> Outcome:
    if exchange.status != HTTPStatus.OK:
        return Outcome.BAD_REQUEST
    return Outcome.OK if exchange.attempts == 1 else Outcome.OK_RETRIED
