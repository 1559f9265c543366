"""`/admin/requests`: what goes on now, and nothing of what is said."""

from typing import Any

from fastapi import APIRouter

from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange
from vllm_gateway.telemetry.ledger import Ledger


def live_routes(ledger: Ledger, clock: Clock) -> APIRouter:
    """Return the routes about what goes on."""
    routes = APIRouter(prefix="/admin")

    @routes.get("/requests")
    async def list_requests() -> dict[str, Any]:
        now = clock.now()
        return {"object": "list", "data": [request_object(exchange, now) for exchange in ledger.live.values()]}

    return routes


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
    }
