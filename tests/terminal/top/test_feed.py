"""What admin routes tell, and what they are told; against a real gateway."""

import asyncio
from pathlib import Path

import pytest

from tests.scripted import Visit, scripted
from tests.terminal.conftest import house
from tests.waiting import until
from tests.wire.operated import ADMIN_KEY, Operated, operated
from tests.wire.sims import fast
from vllm_gateway.tasks import Tasks
from vllm_gateway.terminal.api import Client, Target
from vllm_gateway.terminal.top.feed import Feed, NoFleet

CHAT = {"model": "sim-small", "messages": [{"role": "user", "content": "Go on."}], "max_tokens": 20}


def feed_of(one: Operated, key: str | None = ADMIN_KEY) -> Feed:
    """Return what looks at a gateway's admin routes."""
    return Feed(Client(Target.at(str(one.admin.base_url), key)))


async def test_a_picture_shows_what_the_gateway_does() -> None:
    """Its replicas, what is under way, and what has ended; the figures are those of the replica itself."""
    async with operated(fast(itl_ms=20)) as one:
        feed, tasks = feed_of(one), Tasks("test")
        assert (await one.door.http.post("/v1/chat/completions", json=CHAT)).status_code == 200
        long = {**CHAT, "max_tokens": 4000, "stream": True}
        asked = tasks.start(one.door.http.post("/v1/chat/completions", json=long), name="long")
        await until(lambda: len(one.sims[0].engine.scheduler.running) == 1)
        await one.door.parts.reloading.look()
        shot = await feed.look()
        (row,) = shot.replicas
        assert (row.name, row.state, row.asked, row.running, row.requests) == ("default-1", "in", 1, 1, 1)
        assert (row.made_per_s or 0) > 0
        assert [(each.model, each.replica) for each in shot.requests] == [("sim-small", "default-1")]
        assert (shot.all.requests, shot.all.completion_tokens) == (1, 20)
        assert [(each.name, each.requests) for each in shot.models] == [("sim-small", 1)]
        await feed.stop(shot.requests[0].id)
        with pytest.raises(Exception, match="incomplete"):
            await asked
        assert [each.outcome for each in (await feed.look()).events] == ["auth"]


async def test_replicas_are_drained_and_asked_again() -> None:
    """What was ordered is seen in the next picture."""
    async with operated(fast(), fast()) as one:
        feed = feed_of(one)
        await feed.drain("default-2")
        assert [row.state for row in (await feed.look()).replicas] == ["in", "drained"]
        await feed.resume("default-2")
        assert [row.state for row in (await feed.look()).replicas] == ["in", "in"]
        with pytest.raises(NoFleet, match="no replica of this name"):
            await feed.drain("default-9?x=#")


async def test_callers_are_told_by_the_names_of_their_keys(tmp_path: Path) -> None:
    """Ids mean nothing to people."""
    auth = {"admin_key": ADMIN_KEY, "mode": "keys", "keys_file": str(tmp_path / "keys.yaml")}
    async with operated(fast(), auth=auth) as one:
        made = (await one.admin.post("/admin/keys", json={"name": "ann"})).json()
        headers = {"authorization": f"Bearer {made['key']}"}
        assert (await one.door.http.post("/v1/chat/completions", json=CHAT, headers=headers)).status_code == 200
        assert [row.name for row in (await feed_of(one).look()).callers] == ["ann"]


async def test_a_wrong_key_is_told_with_the_way_to_give_the_right_one() -> None:
    """The same for none."""
    async with operated(fast()) as one:
        for key in (None, "another-key-of-somebody"):
            with pytest.raises(NoFleet, match=r"wants the admin key.*--admin-key"):
                await feed_of(one, key).look()


async def test_where_clients_ask_is_not_where_top_asks() -> None:
    """That is easily taken for it, so it is said which port is meant."""
    async with house() as one:
        with pytest.raises(NoFleet, match=r"use the admin listener's port.*8081"):
            await Feed(one.client).look()


async def test_a_gateway_that_is_away_is_told() -> None:
    """In one sentence, with its address."""
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    with pytest.raises(NoFleet, match=f"^No gateway answers at http://127.0.0.1:{port}. Is it running"):
        await Feed(Client(Target.at(f"http://127.0.0.1:{port}"))).look()


async def other_server(visit: Visit) -> None:
    """Answer everything with JSON that is no gateway's."""
    await visit.request()
    await visit.say_json(b'{"data": [{"name": "x"}]}')


async def test_something_else_that_answers_is_no_gateway() -> None:
    """JSON that has other members is none of ours."""
    async with scripted(other_server) as other:
        with pytest.raises(NoFleet, match="no vllm-gateway of this version"):
            await Feed(Client(Target.at(other.url))).look()
