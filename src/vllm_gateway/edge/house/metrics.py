"""The page that Prometheus reads."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse

from vllm_gateway.edge.house.callers import Admit
from vllm_gateway.telemetry.metrics.text import CONTENT_TYPE

_EXAMPLE = "# TYPE gateway_inflight_requests gauge\ngateway_inflight_requests 3\n"

Scrape = Callable[[], Awaitable[bytes]]
"""Gives the page as of now."""


def metrics_route(scrape: Scrape, admit: Admit | None = None) -> APIRouter:
    """Return the route; without `admit` somebody else has asked who it is."""
    routes = APIRouter(tags=["metrics"], dependencies=[] if admit is None else [Depends(admit)])

    @routes.get(
        "/metrics",
        summary="Numbers for Prometheus, about the gateway and its replicas",
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {"example": _EXAMPLE}}}},
    )
    async def metrics() -> Response:
        return Response(await scrape(), headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})

    return routes
