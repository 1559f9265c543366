"""What may be asked for: the models of all replicas in one list."""

import hashlib
from collections.abc import Callable

from fastapi import APIRouter, Depends, Request, Response

from vllm_gateway import codec
from vllm_gateway.callers import Caller
from vllm_gateway.edge.announced import request_id
from vllm_gateway.edge.house.callers import Admit
from vllm_gateway.edge.house.catalog import catalog, listing
from vllm_gateway.errors import ModelUnknown
from vllm_gateway.routing.table import Table
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import Prober


def model_routes(pool: Pool, prober: Prober, table: Callable[[], Table], admit: Admit) -> APIRouter:
    """Return the routes about models; a caller sees those that its key may ask for."""
    routes = APIRouter(tags=["models"])
    allowed = Depends(admit)

    @routes.get("/v1/models", summary="Models that may be asked for, merged over all replicas")
    @routes.get("/api/models", summary="Models that may be asked for, as /v1/models lists them")
    async def list_models(request: Request, caller: Caller = allowed) -> Response:
        await _look_first(pool, prober)
        for_codex = "client_version" in request.query_params
        body = codec.dumps(listing(catalog(pool.replicas, table().within(caller.models)), for_codex=for_codex))
        return _tagged(body, request)

    @routes.get("/v1/models/{model:path}", summary="One model")
    async def show_model(model: str, request: Request, caller: Caller = allowed) -> Response:
        await _look_first(pool, prober)
        theirs = table().within(caller.models)
        for row in catalog(pool.replicas, theirs):
            if row["id"] == model:
                return _tagged(codec.dumps(row), request)
        theirs.find(model, pool.replicas)  # says why not, and what else there is
        raise ModelUnknown("No model server offers this model.", param="model")

    return routes


async def _look_first(pool: Pool, prober: Prober) -> None:
    """Look at the replicas when nothing is known yet; otherwise what is known is at most one round old."""
    if not any(replica.models for replica in pool.replicas):
        await prober.look_again()


def _tagged(body: bytes, request: Request) -> Response:
    """Return JSON with an ETag, or 304 to those who have it already."""
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"etag": tag, "x-request-id": request_id(request.scope["headers"])}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
