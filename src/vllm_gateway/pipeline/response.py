"""Responses that are kept: the items before are added to what is said, and what is answered is kept."""

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from vllm_gateway.admission.members import edited
from vllm_gateway.dialects import kept_responses
from vllm_gateway.errors import ReplicaFailed
from vllm_gateway.exchange import Asked, Exchange, Keeping, Sink
from vllm_gateway.pipeline.held import Held
from vllm_gateway.pipeline.sending import Sending
from vllm_gateway.sessions.model import KeptResponse
from vllm_gateway.sessions.responses import Responses


class ResponseTeller:
    """Answers the Responses API's requests that are kept or go on from a kept one."""

    def __init__(self, sending: Sending, responses: Responses) -> None:
        self._sending = sending
        self._responses = responses

    async def answer(self, exchange: Exchange, asked: Asked, keeping: Keeping, sink: Sink) -> None:
        """Answer into `sink`; the end leaves when the response is kept, if it is to be.

        Raises:
            GatewayError: there is nothing to go on from, it was not answered whole, or it could not be kept.
        """
        if keeping.keeps:
            await self._responses.check()
        earlier = await self._responses.chain(keeping.previous, exchange.caller.id) if keeping.previous else []
        items = kept_responses.continued([(each.input, each.response) for each in earlier], keeping.items)
        changes = kept_responses.outgoing(asked.fields, items if earlier else None)
        if changes:
            fields = {**asked.fields, **changes}
            asked = replace(asked, fields=fields, body=edited(asked.body, changes=changes))
        if earlier:
            exchange.prefers = earlier[-1].replica
        if not keeping.keeps and keeping.previous is None:
            await self._sending.send(exchange, asked, sink)
            return
        edit = partial(kept_responses.with_previous, previous_id=keeping.previous) if keeping.previous else None
        held = Held(sink, ending=kept_responses.ending, edit=edit)
        await self._sending.send(exchange, asked, held)
        if keeping.keeps and exchange.status == HTTPStatus.OK:
            await self._keep(exchange, keeping, earlier, kept_responses.final(held.seen, is_stream=held.is_stream))
        held.release()

    async def _keep(
        self, exchange: Exchange, keeping: Keeping, earlier: list[KeptResponse], response: dict[str, Any] | None
    ) -> None:
        if response is None:
            raise ReplicaFailed("The model server sent an answer that makes no sense.")
        chain = (*earlier[-1].chain, earlier[-1].id) if earlier else ()
        await self._responses.keep(
            response, owner=exchange.caller.id, chain=chain, items=keeping.items, replica=exchange.replica
        )
