"""`/admin/requests` and `/admin/replicas`: what goes on now, and nothing of what is said."""

from typing import Any

from fastapi import APIRouter

from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.upstream.pool import Pool, Replica


def live_routes(ledger: Ledger, pool: Pool, clock: Clock) -> APIRouter:
    """Return the routes about what goes on."""
    routes = APIRouter(prefix="/admin")

    @routes.get("/requests")
    async def list_requests() -> dict[str, Any]:
        now = clock.now()
        return {"object": "list", "data": [request_object(exchange, now) for exchange in ledger.live.values()]}

    @routes.get("/replicas")
    async def list_replicas() -> dict[str, Any]:
        return {"object": "list", "data": [replica_object(replica) for replica in pool.replicas]}

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


def replica_object(replica: Replica) -> dict[str, Any]:
    """Return what is told of a replica; its address is nobody's business."""
    return {
        "name": replica.name,
        "object": "replica",
        "route": replica.route,
        "usable": replica.is_usable,
        "outstanding": replica.outstanding,
        "failures": replica.health.failures,
        "weight": replica.weight,
        "models": list(replica.models),
    }
