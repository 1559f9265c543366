"""The story of an exchange: understood, routed, relayed, accounted for."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.rules.checking import Rules
from vllm_gateway.errors import Draining, GatewayError, InternalFault
from vllm_gateway.exchange import Asked, CallerGone, Exchange, Sink
from vllm_gateway.outcomes import Outcome
from vllm_gateway.pipeline.explaining import Explaining
from vllm_gateway.pipeline.held import Held
from vllm_gateway.pipeline.response import ResponseTeller
from vllm_gateway.pipeline.screening import Screening
from vllm_gateway.pipeline.sending import Sending
from vllm_gateway.pipeline.turn import TurnTeller
from vllm_gateway.telemetry.ledger import Ledger

log = logging.getLogger(__name__)

_OK = int(HTTPStatus.OK)  # looking the member up takes longer than comparing


class Pipeline:
    """What every lane runs for every exchange."""

    def __init__(
        self,
        *,
        keys: Keys,
        rules: Rules,
        screening: Screening | None,
        sending: Sending,
        turns: TurnTeller,
        responses: ResponseTeller,
        ledger: Ledger,
        explaining: Explaining | None = None,
    ) -> None:
        self.is_draining = False
        """New exchanges are refused; those under way go on."""
        self.still_takes: Callable[[Exchange], bool] = _nothing
        """Which new exchanges are answered all the same."""
        self._keys = keys
        self._rules = rules
        self._screening = screening
        self._sending = sending
        self._turns = turns
        self._responses = responses
        self._ledger = ledger
        self._explaining = explaining

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
            outcome = _failed(exchange, sink, error)
            raise
        except CallerGone:
            outcome = Outcome.CLIENT_GONE
        except asyncio.CancelledError:
            if sink.is_gone:
                outcome = Outcome.CLIENT_GONE
            elif exchange.stopped_by is not None:
                outcome = _failed(exchange, sink, exchange.stopped_by)
                raise exchange.stopped_by from None
            else:
                raise
        except Exception as error:  # the last line before the caller: whatever it is, it must not show
            log.exception("exchange %s failed", exchange.id)
            fault = InternalFault("Something went wrong inside the gateway.")
            outcome = _failed(exchange, sink, fault)
            raise fault from error
        finally:
            exchange.task = None
            self._ledger.close(exchange, outcome)

    async def _answer(self, exchange: Exchange, sink: Sink) -> None:
        if self.is_draining and not self.still_takes(exchange):
            raise Draining("The gateway is shutting down. Try again in a moment.", retry_after_s=1)
        trail = exchange.trail
        if not exchange.operation.takes_session_id:
            exchange.caller = await self._keys.admit(exchange.headers, exchange.address, exchange.head)
            trail.auth_s = trail.step()
        exchange.body = await exchange.receive()
        trail.step()  # the caller's own time
        exchange.asked = asked = exchange.operation.read(exchange.body)
        if exchange.operation.takes_session_id and asked.saying is None:
            exchange.caller = await self._keys.admit(exchange.headers, exchange.address, exchange.head)
        self._rules.check(asked, exchange.body)
        if self._screening is not None:
            self._screening.check(asked)
        trail.read_s = trail.step()
        if self._explaining is not None:
            self._explaining.begin(exchange)
        await self._tell(exchange, asked, sink)

    def _tell(self, exchange: Exchange, asked: Asked, sink: Sink) -> Awaitable[None]:
        """Have it answered by whoever knows how."""
        if asked.saying is not None:
            return self._turns.answer(exchange, asked, asked.saying, sink)
        if asked.keeping is not None:
            return self._responses.answer(exchange, asked, asked.keeping, sink)
        if asked.reply is not None and not asked.stream:
            return self._tell_anew(exchange, asked, asked.reply, sink)
        return self._sending.send(exchange, asked, sink)

    async def _tell_anew(self, exchange: Exchange, asked: Asked, reply: Callable[[bytes], bytes], sink: Sink) -> None:
        """Have it answered in another shape than the replica's."""
        held = Held(sink)
        await self._sending.send(exchange, asked, held)
        held.release(reply(held.seen) if exchange.status == HTTPStatus.OK else None)


def _nothing(_: Exchange) -> bool:
    return False


def _failed(exchange: Exchange, sink: Sink, error: GatewayError) -> Outcome:
    """Note what the caller is about to be told."""
    exchange.trail.error = error.code
    if not sink.is_started:
        exchange.status = exchange.operation.dialect.status(error)
    return error.outcome


def _success(exchange: Exchange) -> Outcome:
    if exchange.status != _OK:
        return Outcome.BAD_REQUEST
    if exchange.resumed:
        return Outcome.OK_RESUMED
    return Outcome.OK if exchange.attempts <= 1 else Outcome.OK_RETRIED
