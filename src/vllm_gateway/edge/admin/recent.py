"""`/admin/recent`: what the requests of the last minute say together, and which did not go as they should."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from vllm_gateway.clock import Clock
from vllm_gateway.telemetry.recent import Recent, summed_up
from vllm_gateway.telemetry.usage.record import UsageRecord


def recent_routes(recent: Recent, waiting: Callable[[], int], clock: Clock) -> APIRouter:
    """Return the route about what has just ended; `waiting` says how many requests wait for a replica now."""
    routes = APIRouter(prefix="/admin")

    @routes.get("/recent")
    async def tell_recent() -> dict[str, Any]:
        return recent_object([recent_part(recent, waiting())], clock.wall())

    return routes


def recent_part(recent: Recent, waiting: int) -> dict[str, Any]:
    """Return what one process has to tell, in plain lists: it may be told to another process."""
    ended, notable = map(tuple, recent.ended()), map(tuple, recent.notable())
    return {"ended": list(ended), "notable": list(notable), "waiting": waiting}


def recent_object(parts: list[dict[str, Any]], wall: float) -> dict[str, Any]:
    """Return what all processes have to tell."""
    ended = (UsageRecord(*row) for part in parts for row in part["ended"])
    notable = (UsageRecord(*row) for part in parts for row in part["notable"])
    return {**summed_up(ended, notable, wall), "waiting": sum(part["waiting"] for part in parts)}
