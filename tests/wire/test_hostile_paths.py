"""Paths in every spelling: an exact route, or none; and whoever needs a key needs it for the same paths."""

import itertools
import urllib.parse

import pytest

from tests.gateway import raw
from tests.wire.hostile import BODY, differing, is_well, statuses
from tests.wire.sims import fleet
from vllm_gateway.dialects.operations import build_operations

KEY = "a-key-of-the-test"
OPERATIONS = [path for path in build_operations(max_json_depth=64) if "{" not in path]
OPEN = ["/health", "/livez", "/readyz", "/startupz", "/api/healthz", "/docs", "/redoc", "/openapi.json"]
"""Routes that are read without a key."""
KEYED = ["/v1/models", "/v1/sessions", "/api/models"]
"""Routes that are read with a key."""

VLLM_ROUTES = """
/ping /version /load /metrics/x /kv_event_sources /tokenizer_info /invocations /pooling /classify /score
/rerank /v2/rerank /generative_scoring /scale_elastic_ep /is_scaling_elastic_ep /start_profile /stop_profile
/fault_tolerance/status /abort_requests /server_info /reset_prefix_cache /reset_mm_cache /reset_encoder_cache
/collective_rpc /sleep /wake_up /is_sleeping /release_kv_cache_memory /pause /resume /is_paused
/init_weight_transfer_engine /shutdown_weight_transfer_engine /start_weight_update /start_draft_weight_update
/update_weights /finish_weight_update /update_weight_version /weight_info /weight_checker /get_world_size
/v1/load_lora_adapter /v1/unload_lora_adapter /inference/v1/generate /inference/v1/abort_requests
/v1/chat/completions/render /v1/completions/render /v1/chat/completions/derender /v1/completions/derender
/v1/audio/transcriptions /v1/audio/translations /v1/realtime /cohere/v2/embed /cohere/v1/rerank
/v1/chat/completions/batch /admin /admin/keys /api/generate /api/tags /v1/files /v1/batches /v1/fine_tuning/jobs
""".split()  # noqa: SIM905 - a list of so many names would be read by nobody
"""What a vLLM server may offer, and no caller of a gateway may reach."""


def spellings(path: str) -> list[str]:
    """Return ways to write a path, and things that look like it."""
    head, _, tail = path[1:].partition("/")
    return [
        path, path + "/", "/" + path, "/." + path, "/./" + path[1:], path + "/.", path + "/..", path + "//",
        path.upper(), path.title(), path + ";x", path + ";", path.replace("/", "/;/", 1), path + "%20", path + "%2f",
        "/x/.." + path, "/x/%2e%2e" + path, "/%2e%2e" + path, "/..;" + path, path.replace("/", "\\"), path + "\\",
        path.replace("/", "%2f"), path.replace("/", "%5c"), "/" + urllib.parse.quote(path, safe=""),
        path.replace(head, "%" + f"{ord(head[0]):02x}" + head[1:], 1), path.replace(head, "%25" + head, 1),
        path + "?x=/nothing", path + "?", path + "#x", path + "?#", path + "%3f", path + "%23", path + "%0d%0ahost:y",
        path + ".json", path + "*", path + "%ff", path + "%c0%af", "http://x" + path, "https://x:80" + path,
        "http://u@x" + path, "http:///" + path[1:], "ftp://x" + path, "http://x", "@host" + path, "host" + path,
        path[1:], "*", "//x" + path, f"/{head}//{tail}", f"/{head}/../{head}/{tail}", path + "&x", path + "%00",
    ]  # fmt: skip


def named(target: str) -> str | None:
    """Return the path that a target of a request names; None where a request must not name it so."""
    for scheme in ("http://x/", "https://x:80/"):
        if target.startswith(scheme):
            target = target[len(scheme) - 1 :]
    if not target.startswith("/") or "#" in target:
        return None
    return urllib.parse.unquote(target.partition("?")[0])


def expected(method: str, target: str, *, has_key: bool) -> set[int]:
    """Say how a request must be answered, from the lists of routes alone."""
    path = named(target)
    if path is None:
        return {400}
    if method == "GET" and path in OPEN:
        return {200}
    if (method == "GET" and path in KEYED) or (method == "POST" and path in {*OPERATIONS, "/v1/sessions"}):
        return {200, 201, 400, 404, 409, 501} if has_key else {401}
    if path.startswith(("/v1/models/", "/v1/sessions/")):  # they name something
        return {400, 404, 405} if has_key else {401, 404, 405}
    return {405} if path in {*OPERATIONS, *OPEN, *KEYED} else {404}


@pytest.mark.parametrize("has_key", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_path_is_a_route_or_none(method: str, *, has_key: bool) -> None:
    """S-03, B-10: every spelling of every route is answered as the list of routes says, with and without a key."""
    key = f"authorization: Bearer {KEY}\r\n" if has_key else ""
    body = BODY if method == "POST" else b""
    rest = f" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{key}content-length: {len(body)}\r\n\r\n".encode() + body
    wrong = {}
    async with fleet(auth={"mode": "keys", "client_keys": (KEY,)}) as (_, door):
        routes = ["/v1/chat/completions", "/v1/models", "/livez", "/chat", "/tokenize", "/v1/messages/count_tokens"]
        for target in dict.fromkeys(itertools.chain(*map(spellings, routes))):
            answer = await raw(door.port, f"{method} {target}".encode() + rest)
            if len(statuses(answer)) != 1 or not expected(method, target, has_key=has_key).issuperset(statuses(answer)):
                wrong[target] = statuses(answer)
    assert wrong == {}


@pytest.mark.parametrize("has_key", [True, False])
async def test_every_route_asks_for_a_key_or_never_does(*, has_key: bool) -> None:
    """S-03: what the lists of routes say of keys holds for each of them."""
    headers = {"authorization": f"Bearer {KEY}"} if has_key else {}
    wrong = {}
    async with fleet(auth={"mode": "keys", "client_keys": (KEY,)}) as (_, door):
        for path in [*OPERATIONS, *OPEN, *KEYED]:
            for method in ("GET", "POST"):
                reply = await door.http.request(method, path, json={"model": "x"}, headers=headers)
                if reply.status_code not in expected(method, path, has_key=has_key) | {422}:  # a body may be read first
                    wrong[method, path] = reply.status_code
    assert wrong == {}


@pytest.mark.parametrize("has_key", [True, False])
async def test_nothing_else_of_a_replica_can_be_reached(*, has_key: bool) -> None:
    """S-14: vLLM's other routes are 404 with and without a key, and word for word as what does not exist anywhere."""
    key = f"authorization: Bearer {KEY}\r\n" if has_key else ""
    async with fleet(auth={"mode": "keys", "client_keys": (KEY,)}) as ((sim,), door):
        before = sim.log.requests_total
        bodies = set()
        for method, path in itertools.product(("GET", "POST", "PUT", "DELETE"), [*VLLM_ROUTES, "/nothing-at-all"]):
            request = f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{key}content-length: 0\r\n\r\n"
            answer = await raw(door.port, request.encode())
            assert statuses(answer) == [404], (method, path)
            bodies.add(answer.partition(b"\r\n\r\n")[2])
        assert len(bodies) == 1
        assert sim.log.requests_total == before


async def test_a_huge_path_is_refused() -> None:
    """B-10: 64 KiB of path are more than a head may have; what fits into one is a path like any other."""
    async with fleet() as ((sim,), door):
        head = b"GET /%s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        assert await differing(door, {"64 KiB": head % (b"x" * 65_536)}, 431) == {}
        assert await differing(door, {"60 KB": head % (b"../" * 20_000)}, 404) == {}
        assert await is_well(door, sim)
