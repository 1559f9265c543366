"""`/admin/replicas`: replicas come, rest and go while the gateway runs, and no stream is dropped."""

from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter

from vllm_gateway.edge.admin.control import Control
from vllm_gateway.errors import FieldInvalid, PathUnknown
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import Replica

_AT_START_ONLY = ("resolve", "tokenizer_path")


def replica_routes(pool: Pool, control: Control) -> APIRouter:
    """Return the routes about replicas. What they change holds for every request that comes after their answer."""
    routes = APIRouter(prefix="/admin/replicas")

    @routes.get("")
    async def list_replicas() -> dict[str, Any]:
        return {"object": "list", "data": [replica_object(replica) for replica in pool.replicas]}

    @routes.post("", status_code=201)
    async def add_replica(upstream: Upstream) -> dict[str, Any]:
        _check_new(upstream, pool)
        control.check_new(upstream)
        replica = pool.add(upstream)
        await control.look()
        if not replica.is_known:  # that look had begun before
            await control.look()
        return replica_object(replica)

    @routes.delete("/{name}")
    async def remove_replica(name: str) -> dict[str, Any]:
        return replica_object(_found(pool.remove(name)))

    @routes.post("/{name}/drain")
    async def drain_replica(name: str) -> dict[str, Any]:
        return replica_object(_found(pool.drain(name)))

    @routes.post("/{name}/resume")
    async def resume_replica(name: str) -> dict[str, Any]:
        return replica_object(_found(pool.drain(name, is_draining=False)))

    return routes


def replica_object(replica: Replica) -> dict[str, Any]:
    """Return what is told of a replica: nothing that lets one in, neither there nor here."""
    return {
        "name": replica.name,
        "object": "replica",
        "route": replica.route,
        "url": _shown(replica.url),
        "address": replica.ip,
        "source": replica.source,
        "usable": replica.is_usable,
        "draining": replica.is_draining,
        "removed": replica.is_removed,
        "sleeping": replica.is_sleeping,
        "known": replica.is_known,
        "outstanding": replica.outstanding,
        "work": round(replica.work, 3),
        "others": replica.others,
        "health": replica.health.state.value,
        "cause": replica.health.cause.name.lower() if replica.health.cause is not None else None,
        "failures": replica.health.failures,
        "weight": replica.weight,
        "version": replica.version or None,
        "models": list(replica.models),
        "running": replica.pace.running,
        "waiting": replica.pace.waiting,
        "kv_cache_usage": _rounded(replica.pace.kv_cache_usage),
        "prefix_hit_rate": _rounded(replica.pace.prefix_hit_rate),
        "read_tokens_per_s": _rounded(replica.pace.read_tokens_per_s),
        "made_tokens_per_s": _rounded(replica.pace.made_tokens_per_s),
    }


def _rounded(value: float | None) -> float | None:
    return value if value is None else round(value, 4)


def _shown(url: str) -> str:
    """Return an address without its path, which may hold a token of an ingress."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{'' if parts.path in {'', '/v1'} else '/...'}"


def _check_new(upstream: Upstream, pool: Pool) -> None:
    """Return when a replica may be added.

    Raises:
        FieldInvalid: it is there already, or wants what only the settings can give.
    """
    for name in _AT_START_ONLY:
        if getattr(upstream, name):
            raise FieldInvalid(f"'{name}' can be set in the settings only, under 'upstreams'.", param=name)
    root = upstream.root
    for replica in pool.replicas:
        if (replica.route, replica.url.removesuffix("/v1")) == (upstream.route, root):
            raise FieldInvalid(f"This replica is there already, as {replica.name}.", param="url")


def _found(replica: Replica | None) -> Replica:
    if replica is None:
        raise PathUnknown("There is no replica of this name. GET /admin/replicas lists them.")
    return replica
