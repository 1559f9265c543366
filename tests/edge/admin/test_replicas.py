"""Replicas, looked at and changed by whoever runs the gateway."""

from pathlib import Path
from typing import Any

import pytest

from tests.edge.admin.desk import desk
from vllm_gateway.upstream.gauges import Engine, Gauges
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.pace import Pace

NEW = {"url": "http://gpu2.internal:8000/team-token/v1", "route": "big", "api_key": "sk-second", "weight": 2}


async def test_a_replica_is_told_with_its_state_and_without_secrets(tmp_path: Path) -> None:
    """Where it is, whether it may be asked, and what it is doing; no key, and no path, which may be as good as one."""
    async with desk(tmp_path) as one:
        replica = one.pool.replicas[0]
        replica.models = {"a": {"root": "/srv/models/a"}}
        replica.see(Sign.PROBE_ANSWERED)
        replica.see(Sign.FAILED)
        replica.outstanding, replica.work, replica.others, replica.version = 3, 4.5, 2, "0.32.0"
        engine = Engine(3, 1, kv_cache_usage=0.25, sought_tokens=4, found_tokens=2)
        replica.pace = Pace().after(Gauges(3, 1, {b"": engine}), 1)
        reply = await one.http.get("/admin/replicas")
    assert reply.json()["data"] == [
        {
            "name": "big-1",
            "object": "replica",
            "route": "big",
            "url": "http://gpu.internal:8000",
            "address": None,
            "source": "configured",
            "usable": True,
            "draining": False,
            "removed": False,
            "sleeping": False,
            "known": False,
            "outstanding": 3,
            "work": 4.5,
            "others": 2,
            "health": "closed",
            "cause": None,
            "failures": 1,
            "weight": 1.0,
            "version": "0.32.0",
            "models": ["a"],
            "running": 3,
            "waiting": 1,
            "kv_cache_usage": 0.25,
            "prefix_hit_rate": 0.5,
            "read_tokens_per_s": None,
            "made_tokens_per_s": None,
        }
    ]
    for secret in ("sk-replica", "/srv"):
        assert secret not in reply.text


async def test_a_new_replica_is_looked_at_before_it_is_told(tmp_path: Path) -> None:
    """A look that had begun before may have missed it, so there is another one."""
    async with desk(tmp_path) as one:
        reply = await one.http.post("/admin/replicas", json=NEW)
        told = reply.json()
        assert (reply.status_code, told["name"], told["source"], told["known"]) == (201, "big-2", "added", True)
        assert (told["url"], told["weight"], one.levers.looks) == ("http://gpu2.internal:8000/...", 2, 2)
        assert "sk-second" not in reply.text
        assert "team-token" not in reply.text
        assert [replica.name for replica in one.pool.replicas] == ["big-1", "big-2"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "url"),
        ({**NEW, "wieght": 1}, "wieght"),
        ({**NEW, "url": "http://user:password@h"}, "url"),
        ({**NEW, "resolve": True}, "resolve"),
        ({**NEW, "tokenizer_path": "/srv"}, "tokenizer_path"),
        ({"url": "http://gpu.internal:8000", "route": "big"}, "url"),
    ],
)
async def test_what_cannot_be_added_is_refused(body: dict[str, Any], param: str, tmp_path: Path) -> None:
    """The answer names the field, repeats no secret, and nothing has changed."""
    async with desk(tmp_path) as one:
        reply = await one.http.post("/admin/replicas", json=body)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
        for secret in ("sk-second", "password@"):
            assert secret not in reply.text
        assert len(one.pool.replicas) == 1


async def test_a_replica_rests_and_comes_back(tmp_path: Path) -> None:
    """It stays in the list while it gets nothing new."""
    async with desk(tmp_path) as one:
        for word, is_draining in (("drain", True), ("drain", True), ("resume", False)):
            reply = await one.http.post(f"/admin/replicas/big-1/{word}", json={})
            assert (reply.status_code, reply.json()["draining"]) == (200, is_draining)
            assert one.pool.replicas[0].is_draining is is_draining


async def test_a_removed_replica_is_out_of_the_list(tmp_path: Path) -> None:
    """It is told a last time, with what it still answers."""
    async with desk(tmp_path) as one:
        one.pool.replicas[0].outstanding = 2
        told = (await one.http.delete("/admin/replicas/big-1")).json()
        assert (told["removed"], told["outstanding"], one.pool.replicas) == (True, 2, ())


async def test_a_replica_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """The answer says where the names are."""
    async with desk(tmp_path) as one:
        for method, path in (("DELETE", ""), ("POST", "/drain"), ("POST", "/resume")):
            reply = await one.http.request(method, f"/admin/replicas/nobody{path}", json={})
            assert reply.status_code == 404
            assert "GET /admin/replicas" in reply.json()["error"]["message"]


async def test_what_the_gateway_cannot_do_is_refused(tmp_path: Path) -> None:
    """And no replica comes."""
    async with desk(tmp_path) as admin:
        reply = await admin.http.post("/admin/replicas", json={"url": "http://h:1", "max_concurrent": 1001})
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "max_concurrent")
        assert len(admin.pool.replicas) == 1
