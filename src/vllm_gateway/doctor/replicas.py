"""The replicas: whether they answer, what they are, and whether those of one route are alike."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vllm_gateway.doctor.finding import Finding, fail, ok, warn
from vllm_gateway.settings import Settings, Upstream
from vllm_gateway.terminal.api import Client, Fault, Refused, Target

PATIENCE_S = 5.0
_NO_SUCH_KEY = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Seen:
    """What one replica said."""

    upstream: Upstream
    version: str = ""
    models: tuple[str, ...] = ()
    lengths: dict[str, int] = field(default_factory=dict)
    """`max_model_len` by model."""
    fault: Fault | None = None


async def look_at_replicas(settings: Settings) -> list[Finding]:
    """Ask every replica at once."""
    if not settings.upstreams:
        says = "none is configured: the embedded engine would answer, which invents its words"
        return [warn("replicas", says, "Give the address of a vLLM: --upstream http://127.0.0.1:8000/v1")]
    seen = await asyncio.gather(*(_ask(upstream) for upstream in settings.upstreams))
    return [*(_finding(each) for each in seen), *differences(seen), *_ambiguous(seen)]


async def _ask(upstream: Upstream) -> Seen:
    key = upstream.api_key.get_secret_value() if upstream.api_key is not None else None
    client = Client(Target.at(upstream.root, key))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await client.text("GET", "/health", patience_s=PATIENCE_S)
            rows = _rows(await client.get("/v1/models", patience_s=PATIENCE_S))
            return Seen(
                upstream,
                version=await _version(client),
                models=tuple(str(row["id"]) for row in rows),
                lengths={
                    str(row["id"]): row["max_model_len"] for row in rows if isinstance(row.get("max_model_len"), int)
                },
            )
    except Fault as fault:
        return Seen(upstream, fault=fault)
    except TimeoutError:
        return Seen(upstream, fault=Fault("it takes longer than the gateway would wait"))


async def _version(client: Client) -> str:
    """Return the version of vLLM that it tells; other servers tell none."""
    try:
        told = await client.get("/version", patience_s=PATIENCE_S)
    except Fault:
        return ""
    return str(told.get("version", "")) if isinstance(told, dict) else ""


def _rows(listing: object) -> list[dict[str, Any]]:
    rows = listing.get("data") if isinstance(listing, dict) else None
    return [row for row in rows if isinstance(row, dict) and row.get("id")] if isinstance(rows, list) else []


def _finding(seen: Seen) -> Finding:
    subject = f"replica {seen.upstream.root}"
    if isinstance(seen.fault, Refused) and seen.fault.status in _NO_SUCH_KEY:
        cure = "Give its key (vLLM's --api-key) as upstreams[].api_key."
        return fail(subject, f"it refuses our key (status {seen.fault.status})", cure)
    if isinstance(seen.fault, Refused):
        cure = "Look into its log; vLLM says 503 when its engine is dead."
        return fail(subject, f"it answers with status {seen.fault.status}", cure)
    if seen.fault is not None:
        cure = f"Is it running, and is the address right? Try: curl {seen.upstream.root}/health"
        return fail(subject, "it cannot be reached", cure)
    if not seen.models:
        return fail(subject, "it lists no model", "Is it a vLLM server? Look at its /v1/models.")
    shown = f"vLLM {seen.version}" if seen.version else "of unknown version"
    return ok(subject, f"{shown}, route {seen.upstream.route}, models: {', '.join(seen.models)}")


def differences(seen: Iterable[Seen]) -> Iterator[Finding]:
    """Yield in what replicas of one route differ that should be alike."""
    routes: dict[str, list[Seen]] = {}
    for each in seen:
        if each.fault is None:
            routes.setdefault(each.upstream.route, []).append(each)
    for route, members in routes.items():
        if len({frozenset(member.models) for member in members}) > 1:
            cure = "Give those with another model a route of their own, or one --served-model-name."
            yield warn(f"route {route}", "its replicas serve different models", cure)
        if len({frozenset(member.lengths.items()) for member in members}) > 1:
            cure = "Start them with the same --max-model-len; the gateway tells the shortest."
            yield warn(f"route {route}", "its replicas have contexts of different lengths", cure)
        if len({member.version for member in members}) > 1:
            cure = "Streams cannot go on from one to another between versions; use one version."
            yield warn(f"route {route}", "its replicas run different versions of vLLM", cure)


def _ambiguous(seen: Iterable[Seen]) -> Iterator[Finding]:
    """Yield each model that several routes serve: a request that names it alone may go to any of them."""
    routes: dict[str, set[str]] = {}
    for each in seen:
        for model in each.models:
            routes.setdefault(model, set()).add(each.upstream.route)
    for model, names in routes.items():
        if len(names) > 1:
            yield ok("models", f"{model} is on several routes: {', '.join(sorted(names))}")
