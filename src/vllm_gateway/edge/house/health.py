"""How the gateway and its replicas do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response

from vllm_gateway import __version__
from vllm_gateway.routing.table import Table
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.upstream.pool import Pool


@dataclass(frozen=True, slots=True)
class State:
    """What health is told from."""

    is_draining: Callable[[], bool]
    is_embedded: Callable[[], bool]
    table: Callable[[], Table]
    pool: Pool
    ledger: Ledger


def health_routes(state: State) -> APIRouter:
    """Return the routes about health; none of them asks for a key, and none tells a secret."""
    pool = state.pool
    routes = APIRouter(tags=["health"])

    @routes.get("/health", summary="How the gateway and its replicas do; 200 as long as the gateway runs")
    async def health() -> dict[str, Any]:
        usable = sum(replica.is_usable for replica in pool.replicas)
        return {
            "status": "ok",
            "ok": True,
            "vllm": _state_of(pool, is_embedded=state.is_embedded()),
            "engine": "embedded" if state.is_embedded() else "vllm",
            "version": __version__,
            "draining": state.is_draining(),
            "replicas": {"usable": usable, "total": len(pool.replicas)},
        }

    @routes.get("/api/healthz", summary="The same in one word: healthy, degraded (some replicas are out) or unhealthy")
    async def healthz() -> dict[str, Any]:
        usable = [replica for replica in pool.replicas if replica.is_usable]
        word = "healthy" if len(usable) == len(pool.replicas) else "degraded" if usable else "unhealthy"
        return {
            "status": word,
            "gpu_available": False if state.is_embedded() else None,  # vLLM's API does not tell
            "model_loaded": any(replica.models for replica in usable),
            "upstream_healthy": bool(usable),
            "queue_size": sum(exchange.status == 0 for exchange in state.ledger.live.values()),
            "details": {"models": state.table().names(usable)},
        }

    @routes.get("/livez", summary="The process runs; replicas do not matter here")
    async def livez() -> dict[str, bool]:
        return {"ok": True}

    @routes.get("/readyz", summary="New work may come: a replica is usable, and no shutdown is under way")
    async def readyz(response: Response) -> dict[str, Any]:
        reason = _why_not_ready(pool, is_draining=state.is_draining())
        response.status_code = 503 if reason else 200
        return {"ready": reason is None, "reason": reason}

    @routes.get("/startupz", summary="Every replica has been looked at once")
    async def startupz(response: Response) -> dict[str, bool]:
        is_started = all(replica.is_known for replica in pool.replicas)
        response.status_code = 200 if is_started else 503
        return {"started": is_started}

    return routes


def _state_of(pool: Pool, *, is_embedded: bool) -> str:
    if is_embedded or not pool.replicas:
        return "unconfigured"
    if any(replica.is_usable for replica in pool.replicas):
        return "ok"
    return "unavailable" if all(replica.is_known for replica in pool.replicas) else "unknown"


def _why_not_ready(pool: Pool, *, is_draining: bool) -> str | None:
    if is_draining:
        return "the gateway is shutting down"
    if not any(replica.is_usable for replica in pool.replicas):
        return "no model server is usable"
    return None
