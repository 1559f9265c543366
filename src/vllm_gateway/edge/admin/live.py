"""`/admin/requests`: what goes on now, and nothing of what is said; any of it can be stopped."""

from typing import Any

from fastapi import APIRouter

from vllm_gateway.clock import Clock
from vllm_gateway.errors import PathUnknown, RequestStopped
from vllm_gateway.exchange import Exchange
from vllm_gateway.telemetry.ledger import Ledger


def live_routes(ledger: Ledger, clock: Clock) -> APIRouter:
    """Return the routes about what goes on."""
    routes = APIRouter(prefix="/admin")

    @routes.get("/requests")
    async def list_requests() -> dict[str, Any]:
        now = clock.now()
        return {"object": "list", "data": [request_object(exchange, now) for exchange in ledger.live.values()]}

    @routes.delete("/requests/{request_id}")
    async def stop_request(request_id: str) -> dict[str, Any]:
        stopped = stop_requests(ledger, request_id, clock.now())
        if not stopped:
            raise PathUnknown("No request with this id is under way. GET /admin/requests lists those that are.")
        return {"object": "list", "data": stopped}

    return routes


def stop_requests(ledger: Ledger, request_id: str, now: float) -> list[dict[str, Any]]:
    """Stop the requests of this id, and return what was told of them; callers choose ids, so there may be several."""
    found = [exchange for exchange in ledger.live.values() if exchange.id == request_id]
    for exchange in found:
        exchange.stop(RequestStopped("Whoever runs the gateway has stopped this request."))
    return [request_object(exchange, now) for exchange in found]


def request_object(exchange: Exchange, now: float) -> dict[str, Any]:
    """Return what is told of a request under way. Its path is the pattern: a session's name lets one in."""
    return {
        "id": exchange.id,
        "object": "request",
        "path": exchange.operation.path,
        "model": exchange.model,
        "replica": exchange.replica,
        "caller": exchange.caller.id or None,
        "seconds": round(now - exchange.started, 3),
        "attempts": exchange.attempts,
        "status": exchange.status or None,
        "stream": exchange.is_event_stream,
        "resumed": exchange.resumed,
        "tokens": _tokens(exchange),
    }


def _tokens(exchange: Exchange) -> int | None:
    """Return the tokens of the answer so far; about, unless the replica tells. None where nobody counts."""
    usage = exchange.watch.usage_so_far() if exchange.watch is not None else None
    if usage is not None:
        return usage.completion_tokens
    return exchange.events_so_far() if exchange.events_so_far is not None else None
