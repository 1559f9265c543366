"""`/admin/usage`: who has used how much, summed up."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from vllm_gateway.admission.keys.store import KeyStore, StoreUnusable
from vllm_gateway.clock import Clock
from vllm_gateway.errors import FieldInvalid, PathUnknown, StoreFailed
from vllm_gateway.telemetry.usage import store as ledger
from vllm_gateway.telemetry.usage.listing import described
from vllm_gateway.telemetry.usage.names import KeyNames, KnownKey
from vllm_gateway.telemetry.usage.question import MAX_ROWS, Question, QuestionInvalid, day_name, read_question

_Words = Annotated[str | None, Query(max_length=256)]
_OFF = "No usage is written down here. Set usage.backend to sqlite or postgres."


def usage_routes(usage: ledger.UsageStore | None, keys: KeyStore, clock: Clock) -> APIRouter:
    """Return the route about usage; without a ledger it says so."""
    routes = APIRouter(prefix="/admin")

    @routes.get("/usage")
    async def sum_up(
        first: Annotated[str | None, Query(alias="from", max_length=32)] = None,
        last: Annotated[str | None, Query(alias="to", max_length=32)] = None,
        group: Annotated[str, Query(max_length=256)] = "day",
        key: _Words = None,
        model: _Words = None,
    ) -> dict[str, Any]:
        if usage is None:
            raise PathUnknown(_OFF)
        names = await key_names(keys)
        callers = names.callers(key) if key is not None else None
        try:
            question = read_question(now=clock.wall(), first=first, last=last, by=group, callers=callers, model=model)
            return await _answer(usage, question, names)
        except QuestionInvalid as fault:
            raise FieldInvalid(str(fault), param=fault.param) from None
        except ledger.StoreUnusable as fault:
            raise StoreFailed(str(fault), retry_after_s=1) from None

    return routes


async def _answer(usage: ledger.UsageStore, question: Question, names: KeyNames) -> dict[str, Any]:
    totals = await usage.totals(question)
    return {
        "object": "list",
        "from": day_name(question.first_day),
        "to": day_name(question.last_day),
        "data": described(totals[:MAX_ROWS], names),
        "has_more": len(totals) > MAX_ROWS,
    }


async def key_names(keys: KeyStore) -> KeyNames:
    """Return the names of keys; without them the ids have to do."""
    try:
        records = await keys.load()
    except StoreUnusable:
        return KeyNames()
    return KeyNames(KnownKey(record.caller().id, record.id, record.name) for record in records)
