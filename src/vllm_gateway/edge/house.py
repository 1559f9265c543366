"""The routes that the gateway answers itself: what it is, how it does, and what it serves."""

import hashlib
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from vllm_gateway import __version__, codec
from vllm_gateway.edge.catalog import catalog, listing
from vllm_gateway.edge.faults import fault_reply
from vllm_gateway.edge.lane import request_id
from vllm_gateway.errors import GatewayError, MethodWrong, ModelUnknown, PathUnknown
from vllm_gateway.exchange import Dialect, Headers
from vllm_gateway.pipeline import Pipeline
from vllm_gateway.routing.table import Table
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import Prober


def build_house(
    *, pipeline: Pipeline, pool: Pool, prober: Prober, table: Table, dialect: Dialect, is_embedded: bool
) -> FastAPI:
    """Return the application for everything that no replica answers."""
    house = FastAPI(title="vllm-gateway", version=__version__, redirect_slashes=False)

    @house.get("/v1/models", tags=["models"], summary="Models that may be asked for, merged over all replicas")
    async def list_models(request: Request) -> Response:
        await _look_first(pool, prober)
        for_codex = "client_version" in request.query_params
        body = codec.dumps(listing(catalog(pool.replicas, table), for_codex=for_codex))
        return _tagged(body, request)

    @house.get("/v1/models/{model:path}", tags=["models"], summary="One model")
    async def show_model(model: str, request: Request) -> Response:
        await _look_first(pool, prober)
        for row in catalog(pool.replicas, table):
            if row["id"] == model:
                return _tagged(codec.dumps(row), request)
        table.find(model, pool.replicas)  # says why not, and what else there is
        raise ModelUnknown("No model server offers this model.", param="model")

    @house.get(
        "/health", tags=["health"], summary="How the gateway and its replicas do; 200 as long as the gateway runs"
    )
    async def health() -> dict[str, Any]:
        usable = sum(replica.is_usable for replica in pool.replicas)
        return {
            "status": "ok",
            "ok": True,
            "vllm": _state_of(pool, is_embedded=is_embedded),
            "engine": "embedded" if is_embedded else "vllm",
            "version": __version__,
            "draining": pipeline.is_draining,
            "replicas": {"usable": usable, "total": len(pool.replicas)},
        }

    @house.get("/livez", tags=["health"], summary="The process runs; replicas do not matter here")
    async def livez() -> dict[str, bool]:
        return {"ok": True}

    @house.get(
        "/readyz", tags=["health"], summary="New work may come: a replica is usable, and no shutdown is under way"
    )
    async def readyz(response: Response) -> dict[str, Any]:
        reason = _why_not_ready(pipeline, pool)
        response.status_code = 503 if reason else 200
        return {"ready": reason is None, "reason": reason}

    @house.get("/startupz", tags=["health"], summary="Every replica has been looked at once")
    async def startupz(response: Response) -> dict[str, bool]:
        is_started = all(replica.is_known for replica in pool.replicas)
        response.status_code = 200 if is_started else 503
        return {"started": is_started}

    _answer_faults(house, dialect)
    return house


async def _look_first(pool: Pool, prober: Prober) -> None:
    """Look at the replicas when nothing is known yet; otherwise what is known is at most one round old."""
    if not any(replica.models for replica in pool.replicas):
        await prober.look_again()


def _state_of(pool: Pool, *, is_embedded: bool) -> str:
    if is_embedded or not pool.replicas:
        return "unconfigured"
    if any(replica.is_usable for replica in pool.replicas):
        return "ok"
    return "unavailable" if all(replica.is_known for replica in pool.replicas) else "unknown"


def _why_not_ready(pipeline: Pipeline, pool: Pool) -> str | None:
    if pipeline.is_draining:
        return "the gateway is shutting down"
    if not any(replica.is_usable for replica in pool.replicas):
        return "no model server is usable"
    return None


def _tagged(body: bytes, request: Request) -> Response:
    """Return JSON with an ETag, or 304 to those who have it already."""
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"etag": tag, "x-request-id": request_id(request.scope["headers"])}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _answer_faults(house: FastAPI, dialect: Dialect) -> None:
    """Write errors in the callers' shape, those of the framework included."""

    def reply(request: Request, error: GatewayError) -> Response:
        status, headers, body = fault_reply(error, dialect, request_id(request.scope["headers"]))
        return Response(body, status, headers=_text(headers))

    async def on_own(request: Request, error: Exception) -> Response:
        if not isinstance(error, GatewayError):
            raise error
        return reply(request, error)

    async def on_framework(request: Request, error: Exception) -> Response:
        allowed = (getattr(error, "headers", None) or {}).get("Allow", "GET")
        if getattr(error, "status_code", 404) == 405:  # noqa: PLR2004 - method not allowed
            return reply(request, MethodWrong(f"This route takes {allowed} only.", allowed=allowed))
        return reply(request, PathUnknown("There is no such route here."))

    house.add_exception_handler(GatewayError, on_own)
    house.add_exception_handler(HTTPException, on_framework)


def _text(headers: Headers) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}
