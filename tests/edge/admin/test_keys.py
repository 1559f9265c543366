"""Client keys, made and revoked while the gateway runs."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.edge.admin.desk import desk
from vllm_gateway.admission.keys.record import new_record
from vllm_gateway.admission.keys.secret import has_right_checksum, mint
from vllm_gateway.admission.keys.stores.file import FileStore
from vllm_gateway.callers import Allowance, Priority
from vllm_gateway.errors import KeyRefused
from vllm_gateway.exchange import Headers

FULL: dict[str, Any] = {
    "name": "the team",
    "models": ["a", "b"],
    "requests_per_minute": 60,
    "requests_per_second": 5,
    "tokens_per_minute": 1000,
    "tokens_per_day": 90_000,
    "concurrent": 3,
    "class": "batch",
    "expires": "30d",
}


def carrying(secret: str) -> Headers:
    """Return the headers of who has this key."""
    return [(b"authorization", b"Bearer " + secret.encode())]


async def test_a_new_key_opens_the_door_at_once(tmp_path: Path) -> None:
    """Its secret is told once; who has it may do what was said."""
    async with desk(tmp_path) as one:
        reply = await one.http.post("/admin/keys", json=FULL)
        made = reply.json()
        assert (reply.status_code, reply.headers["cache-control"]) == (201, "no-store")
        assert has_right_checksum(made["key"].encode())
        assert {name: made[name] for name in FULL if name != "expires"} == {
            name: value for name, value in FULL.items() if name != "expires"
        }
        caller = await one.keys.admit(carrying(made["key"]), "127.0.0.1")
        assert caller.id == made["caller"]
        assert (caller.models, caller.priority) == (frozenset({"a", "b"}), Priority.BATCH)
        assert caller.allowance == Allowance(60, 5, 1000, 90_000, 3)
        one.clock.move(30 * 86_400)
        await one.keys.refresh()
        with pytest.raises(KeyRefused):
            await one.keys.admit(carrying(made["key"]), "127.0.0.1")


async def test_a_revoked_key_is_refused_at_once(tmp_path: Path) -> None:
    """By its id; a second time changes nothing, and it stays in the list."""
    async with desk(tmp_path) as one:
        made = (await one.http.post("/admin/keys", json={"name": "gone"})).json()
        await one.keys.admit(carrying(made["key"]), "127.0.0.1")
        for _ in range(2):
            reply = await one.http.delete(f"/admin/keys/{made['id']}")
            assert (reply.status_code, reply.json()["state"]) == (200, "revoked")
        with pytest.raises(KeyRefused):
            await one.keys.admit(carrying(made["key"]), "127.0.0.1")
        rows = (await one.http.get("/admin/keys")).json()["data"]
        assert [(row["id"], row["state"]) for row in rows] == [(made["id"], "revoked")]


async def test_the_list_tells_neither_keys_nor_digests(tmp_path: Path) -> None:
    """Only what tells two keys apart."""
    async with desk(tmp_path) as one:
        made = (await one.http.post("/admin/keys", json={"name": "a"})).json()
        text = (await one.http.get("/admin/keys")).text
    assert made["hint"] in text
    assert made["key"] not in text
    assert hashlib.sha256(made["key"].encode()).hexdigest() not in text
    assert "digest" not in text


async def test_looking_at_the_list_hides_no_change(tmp_path: Path) -> None:
    """A key that somebody else has revoked is refused after the next look at the store, whoever looked before."""
    async with desk(tmp_path) as one:
        made = (await one.http.post("/admin/keys", json={"name": "a"})).json()
        await FileStore(tmp_path / "keys.yaml").revoke(made["id"], one.clock.wall())
        assert (await one.http.get("/admin/keys")).json()["data"][0]["state"] == "revoked"
        await one.keys.refresh()
        with pytest.raises(KeyRefused):
            await one.keys.admit(carrying(made["key"]), "127.0.0.1")


@pytest.mark.parametrize("key_id", ["key_000000000000", "key_", "the team", "keys", "..%2Fkeys"])
async def test_only_ids_of_keys_can_be_revoked(key_id: str, tmp_path: Path) -> None:
    """Names are not ids: two keys may have one."""
    async with desk(tmp_path) as one:
        await one.http.post("/admin/keys", json={"name": "the team"})
        reply = await one.http.delete(f"/admin/keys/{key_id}")
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")
        assert [row["state"] for row in (await one.http.get("/admin/keys")).json()["data"]] == ["valid"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": " a"}, "name"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"concurrent": "3"}, "concurrent"),
        ({"concurrent": True}, "concurrent"),
        ({"class": "first"}, "class"),
        ({"priority": "batch"}, "priority"),
        ({"expires": "soon"}, "expir"),
        ({"expires": "2001-01-01"}, "2001-01-01"),
        ({"budget": 1}, "budget"),
        ({"key": "my-own-key-0123456789"}, "key"),
    ],
)
async def test_what_makes_no_key_is_told(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    """The fault is named, and nothing is kept."""
    async with desk(tmp_path) as one:
        reply = await one.http.post("/admin/keys", json={"name": "a", **change})
        assert reply.status_code == 400
        assert told in reply.text
        assert reply.json()["error"]["type"]
        assert (await one.http.get("/admin/keys")).json()["data"] == []


async def test_a_store_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It is nobody's fault who asks: 503."""
    async with desk(tmp_path) as one:
        (tmp_path / "keys.yaml").write_text("keys: [{}]")
        for reply in (await one.http.get("/admin/keys"), await one.http.post("/admin/keys", json={"name": "a"})):
            assert (reply.status_code, reply.json()["error"]["code"]) == (503, "auth_unavailable")


async def test_a_name_that_is_anothers_id_revokes_nothing(tmp_path: Path) -> None:
    """Which of the two is meant cannot be known."""
    async with desk(tmp_path) as one:
        made = (await one.http.post("/admin/keys", json={"name": "a"})).json()
        await FileStore(tmp_path / "keys.yaml").add(new_record(mint(), name=made["id"], created=1))
        reply = await one.http.delete(f"/admin/keys/{made['id']}")
        assert reply.status_code == 400
        assert "2 keys" in reply.json()["error"]["message"]
