"""Health, for people and for probes."""

import asyncio

import pytest

from tests.edge.house.replicas import serving
from tests.gateway import gateway
from tests.scripted import Visit, as_replica, scripted
from tests.waiting import until


@pytest.mark.parametrize(("upstream_is_there", "vllm", "ready"), [(True, "ok", 200), (False, "unavailable", 503)])
async def test_health_tells_gateway_and_replicas_apart(upstream_is_there: bool, vllm: str, ready: int) -> None:
    """The gateway is well as long as it runs; ready only with a usable replica; alive in any case."""
    async with scripted(serving("a")) as one, gateway(one.url if upstream_is_there else "http://127.0.0.1:1") as door:
        health = await door.http.get("/health")
        assert health.status_code == 200
        assert health.json().items() >= {"status": "ok", "ok": True, "vllm": vllm, "draining": False}.items()
        assert (await door.http.get("/readyz")).status_code == ready
        assert (await door.http.get("/livez")).status_code == 200
        assert (await door.http.get("/startupz")).status_code == 200


@pytest.mark.parametrize(
    ("gone", "word", "is_healthy"), [(0, "healthy", True), (1, "degraded", True), (2, "unhealthy", False)]
)
async def test_healthz_tells_in_one_word(gone: int, word: str, *, is_healthy: bool) -> None:
    """All replicas, some, or none; a key is not asked for."""
    keys = {"mode": "keys", "client_keys": ["sk-12345678"]}
    async with scripted(serving("a")) as one, scripted(serving("b")) as two:
        urls = [one.url, two.url][gone:] + [f"http://127.0.0.1:{port}" for port in (1, 2)][:gone]
        async with gateway(*urls, auth=keys) as door:
            body = (await door.http.get("/api/healthz")).json()
    assert (body["status"], body["upstream_healthy"], body["model_loaded"]) == (word, is_healthy, is_healthy)
    assert (body["gpu_available"], body["queue_size"]) == (None, 0)
    assert body["details"]["models"] == ["a", "b"][gone:]


async def test_healthz_counts_who_waits() -> None:
    """Requests whose answer has not begun."""

    async def hang(visit: Visit, _: bytes) -> None:
        await visit.until_closed()

    async with scripted(as_replica(hang)) as one, gateway(one.url) as door, asyncio.TaskGroup() as waiting:
        tasks = [waiting.create_task(door.http.post("/chat", json={"message": "Hi"})) for _ in range(3)]
        await until(lambda: len(door.parts.ledger.live) == 3)
        assert (await door.http.get("/api/healthz")).json()["queue_size"] == 3
        for task in tasks:
            task.cancel()
