"""The route of the metrics page; what stands in the page is in `tests/wire/test_metrics.py`."""

from pathlib import Path
from typing import Any

import pytest

from tests.edge.admin.desk import desk
from tests.edge.house.replicas import serving
from tests.gateway import gateway
from tests.scripted import scripted
from tests.wire.operated import operated
from tests.wire.sims import fast

KEYS = {"mode": "keys", "client_keys": ["sk-aaaaaaaa"]}


@pytest.mark.parametrize(
    ("settings", "key", "status"),
    [
        ({}, "", 200),
        ({"auth": KEYS}, "", 401),
        ({"auth": KEYS}, "sk-wrong", 401),
        ({"auth": KEYS}, "sk-aaaaaaaa", 200),
        ({"auth": KEYS, "metrics": {"public": True}}, "", 200),
    ],
)
async def test_it_takes_a_key_unless_it_is_public(settings: dict[str, Any], key: str, status: int) -> None:
    """As every other route does where keys are asked for."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with scripted(serving("m")) as one, gateway(one.url, **settings) as door:
        reply = await door.http.get("/metrics", headers=headers)
    assert reply.status_code == status
    assert ("gateway_inflight_requests 0\n" in reply.text) is (status == 200)


async def test_its_type_is_that_of_the_text_format() -> None:
    """Prometheus looks at it; nobody keeps the page."""
    async with scripted(serving("m")) as one, gateway(one.url) as door:
        reply = await door.http.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
        assert (await door.http.post("/metrics", json={})).status_code == 405
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"


async def test_whoever_runs_the_gateway_reads_it_with_the_admin_key(tmp_path: Path) -> None:
    """On the admin listener, where no other key is one."""
    async with desk(tmp_path) as one:
        assert (await one.http.get("/metrics")).text == "gateway_workers 1\n"
        assert (await one.http.get("/metrics", headers={"authorization": "Bearer wrong"})).status_code == 401


async def test_settings_that_are_read_again_count() -> None:
    """Who may read it, and whether the replicas' own series are in it."""
    async with operated(fast(), auth={**KEYS, "admin_key": "the-admin-key-of-the-tests"}) as one:
        assert (await one.door.http.get("/metrics")).status_code == 401
        one.write(one.sims[0].url, metrics={"public": True})
        await one.reload()
        assert "\nvllm:" in (await one.door.http.get("/metrics")).text
        one.write(one.sims[0].url, metrics={"public": True, "include_replicas": False})
        await one.reload()
        assert "\nvllm:" not in (await one.door.http.get("/metrics")).text
