"""Settings that are valid one by one and make no sense together."""

import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

from vllm_gateway.settings.admission import Auth, Limits, LimitSet
from vllm_gateway.settings.model import Edge, Settings, Upstream
from vllm_gateway.settings.places import Place

_OWN_HOSTS = {"127.0.0.1", "::1", "localhost"}
_EVERY_HOST = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


UNCOUNTED = "cannot be counted by several workers; use queue.replica_waiting instead, or set workers to 1"
"""What is wrong with `max_concurrent` of a replica where each of several processes would count for itself."""

UNSHARED = "cannot be shared out by several workers, each of which would wake its own replica; set workers to 1"
"""What is wrong with `accelerator` where each of several processes would decide for itself."""


def contradictions(settings: Settings) -> Iterator[tuple[Place, str]]:
    """Yield each setting that contradicts another one, and the sentence that says so."""
    yield from _routes(settings)
    yield from _upstreams(settings)
    yield from _auth(settings.auth)
    yield from _edge(settings.edge)
    yield from _stores(settings)
    yield from _limits(settings)
    if settings.workers > 1:
        yield from _workers(settings)
    if settings.allowed_models and settings.default_model not in (None, *settings.allowed_models):
        yield ("default_model",), "must be one of allowed_models, since callers may use no other"


def _routes(settings: Settings) -> Iterator[tuple[Place, str]]:
    routes = sorted({upstream.route for upstream in settings.upstreams} or {"default"})
    if settings.default_route not in (None, *routes):
        yield ("default_route",), f"must be the route of an upstream, one of: {', '.join(routes)}"


def _upstreams(settings: Settings) -> Iterator[tuple[Place, str]]:
    seen: set[tuple[str, str]] = set()
    for index, upstream in enumerate(settings.upstreams):
        place = ("upstreams", index, "url")
        if (upstream.route, upstream.root) in seen:
            yield place, f"is already a replica of the route {upstream.route}; give it a higher weight instead"
        seen.add((upstream.route, upstream.root))
        if upstream.accelerator is not None and not upstream.wake_on_request:
            yield ("upstreams", index, "accelerator"), "needs wake_on_request: true, or it would sleep for ever"
        if _is_gateway_itself(settings, upstream):
            yield place, "is the address that the gateway itself listens on; give the address of a vLLM server"


def _auth(auth: Auth) -> Iterator[tuple[Place, str]]:
    if auth.client_keys and "mode" not in auth.model_fields_set:
        yield ("auth", "client_keys"), "are not asked for; set auth.mode to keys, or to none if that is what you want"
    for index, key in enumerate(auth.client_keys):
        if key in auth.client_keys[:index]:
            yield ("auth", "client_keys", index), "is there twice; keep one"


def _edge(edge: Edge) -> Iterator[tuple[Place, str]]:
    if edge.tls_certificate is not None and edge.tls_key is None:
        yield ("edge", "tls_certificate"), "needs its private key; set edge.tls_key as well"
    if edge.tls_key is not None and edge.tls_certificate is None:
        yield ("edge", "tls_key"), "is the key of no certificate; set edge.tls_certificate as well"


def _limits(settings: Settings) -> Iterator[tuple[Place, str]]:
    limits = settings.limits
    if limits.max_tokens_cap and limits.default_max_tokens > limits.max_tokens_cap:
        yield ("limits", "default_max_tokens"), "is more than limits.max_tokens_cap, which no request may exceed"
    if settings.auth.admin_key is not None and settings.admin.port == settings.port != 0:
        yield ("admin", "port"), "is the port of the gateway itself; choose another"


def _stores(settings: Settings) -> Iterator[tuple[Place, str]]:
    session, state = settings.session, settings.state
    if session.backend == "redis" and state.redis_url is None:
        yield ("session", "backend"), "needs the address of Redis; give it in state.redis_url"
    if settings.limits.backend == "redis" and state.redis_url is None:
        yield ("limits", "backend"), "needs the address of Redis; give it in state.redis_url"
    if session.backend == "postgres" and state.database_url is None:
        yield ("session", "backend"), "needs the address of PostgreSQL; give it in state.database_url"
    if settings.cache.backend == "redis" and state.redis_url is None:
        yield ("cache", "backend"), "needs the address of Redis; give it in state.redis_url"
    if settings.usage.backend == "postgres" and state.database_url is None:
        yield ("usage", "backend"), "needs the address of PostgreSQL; give it in state.database_url"
    if settings.usage.backend != "sqlite" and settings.usage.path is not None:
        yield ("usage", "path"), "is for the backend sqlite only; take it out, or set usage.backend to sqlite"
    if session.backend != "sqlite" and session.path is not None:
        yield ("session", "path"), "is for the backend sqlite only; take it out, or set session.backend to sqlite"


def _workers(settings: Settings) -> Iterator[tuple[Place, str]]:
    """Yield what several processes would get wrong, because each of them would know its own part only."""
    or_one = "or set workers to 1"
    if sys.platform == "win32":
        yield ("workers",), "must be 1 on Windows, where processes cannot share a port"
    if settings.limits.backend == "memory":
        for place in _limits_set(settings.limits):
            yield place, f"cannot be counted by several workers in memory; set limits.backend to redis, {or_one}"
    if settings.session.backend == "memory":
        yield ("session", "backend"), f"must be sqlite, postgres or redis, which several workers can share; {or_one}"
    if settings.isolate_prefix_cache and settings.tenant_secret is None:
        yield ("isolate_prefix_cache",), f"needs tenant_secret, so that all workers cache alike; {or_one}"
    for index, upstream in enumerate(settings.upstreams):
        if upstream.max_concurrent:
            yield ("upstreams", index, "max_concurrent"), UNCOUNTED
        if upstream.accelerator is not None:
            yield ("upstreams", index, "accelerator"), UNSHARED


def _limits_set(limits: Limits) -> Iterator[Place]:
    """Yield every limit that is set."""
    sets: list[tuple[Place, LimitSet]] = [(("limits",), limits), (("limits", "total"), limits.total)]
    sets += [(("limits", "models", model), of_model) for model, of_model in limits.models.items()]
    for place, limit_set in sets:
        for name in LimitSet.model_fields:
            if getattr(limit_set, name):
                yield (*place, name)


def _is_gateway_itself(settings: Settings, upstream: Upstream) -> bool:
    parts = urlsplit(upstream.root)
    if parts.port != settings.port:
        return False
    if settings.host in _OWN_HOSTS | _EVERY_HOST:
        return parts.hostname in _OWN_HOSTS | _EVERY_HOST
    return parts.hostname == settings.host
