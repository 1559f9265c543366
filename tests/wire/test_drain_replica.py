"""Replicas that are drained, added and removed by hand while the gateway is at work."""

import asyncio

from tests.waiting import until
from tests.wire.operated import operated
from tests.wire.sims import asked, fast
from tests.wire.streams import Streamed, ask
from vllm_gateway.settings.model import Upstream

SLOW = fast(itl_ms=4)


async def test_a_drained_replica_finishes_and_gets_nothing_new() -> None:
    """Its stream goes on to its end; others answer what is new, until it is resumed."""
    async with operated(SLOW, SLOW) as run:
        http = run.door.http
        streams = [Streamed(http, f"Question {number}", tokens=60) for number in range(4)]
        await until(lambda: all(stream.text for stream in streams))
        told = (await run.admin.post("/admin/replicas/default-1/drain", json={})).json()
        assert (told["draining"], told["usable"]) == (True, False)
        assert told["outstanding"] > 0
        before = len(asked(run.sims[0]))
        assert [(await ask(http)).status_code for _ in range(4)] == [200] * 4
        assert len(asked(run.sims[0])) == before
        await asyncio.gather(*(stream.task for stream in streams))
        assert all(stream.is_whole for stream in streams)
        assert (await run.admin.post("/admin/replicas/default-1/resume", json={})).json()["usable"] is True
        assert [(await ask(http)).status_code for _ in range(4)] == [200] * 4
        assert len(asked(run.sims[0])) > before


async def test_a_removed_replica_finishes_and_is_forgotten() -> None:
    """Its stream goes on to its end, its connections are closed, and nothing is asked of it any more."""
    async with operated(SLOW, SLOW) as run:
        http = run.door.http
        streams = [Streamed(http, f"Question {number}", tokens=60) for number in range(4)]
        await until(lambda: all(stream.text for stream in streams))
        leaving = run.door.parts.pool.replicas[0]
        told = (await run.admin.delete("/admin/replicas/default-1")).json()
        assert (told["removed"], told["usable"]) == (True, False)
        assert list(await run.replicas()) == ["default-2"]
        before = len(asked(run.sims[0]))
        assert [(await ask(http)).status_code for _ in range(4)] == [200] * 4
        assert len(asked(run.sims[0])) == before
        await asyncio.gather(*(stream.task for stream in streams))
        assert all(stream.is_whole for stream in streams)
        assert (leaving.outstanding, leaving._idle) == (0, [])


async def test_an_added_replica_takes_its_share_at_once() -> None:
    """It was looked at before the answer came, so the next request may go there."""
    async with operated(fast(), fast(), used=1) as run:
        body = {"url": run.sims[1].url, "weight": 5}
        reply = await run.admin.post("/admin/replicas", json=body)
        assert reply.status_code == 201
        told = reply.json()
        assert (told["name"], told["source"], told["usable"], told["weight"]) == ("default-2", "added", True, 5)
        for _ in range(6):
            assert (await ask(run.door.http)).status_code == 200
        assert len(asked(run.sims[1])) == 5
        await run.reload()
        assert list(await run.replicas()) == ["default-1", "default-2"]


async def test_an_added_replica_can_be_full() -> None:
    """Its limit holds although no replica had one when the gateway started."""
    async with operated(fast(), fast(itl_ms=3), used=1) as run:
        assert (await run.admin.delete("/admin/replicas/default-1")).status_code == 200
        reply = await run.admin.post("/admin/replicas", json={"url": run.sims[1].url, "max_concurrent": 1})
        assert reply.json()["name"] == "default-1"
        await until(lambda: run.door.parts.fronts.now.has_rooms)
        streams = [Streamed(run.door.http, f"Question {number}", tokens=8) for number in range(3)]
        (replica,) = run.door.parts.pool.replicas
        most = 0
        while not all(stream.task.done() for stream in streams):
            most = max(most, replica.outstanding)
            await asyncio.sleep(0.001)
        assert (most, [stream.is_whole for stream in streams]) == (1, [True] * 3)


async def test_who_waits_for_a_replica_that_leaves_is_told() -> None:
    """Nobody waits for a place that will never be free."""
    async with operated(SLOW, used=0) as run:
        upstream = Upstream(url=run.sims[0].url, max_concurrent=1)
        run.write(upstream)
        await run.reload()
        stream = Streamed(run.door.http, "Hello", tokens=60)
        await until(lambda: bool(stream.text))
        waiting = asyncio.get_running_loop().create_task(ask(run.door.http))
        await until(lambda: len(run.door.parts.ledger.live) == 2)
        await asyncio.sleep(0.05)
        (replica,) = run.door.parts.pool.replicas
        await run.admin.delete(f"/admin/replicas/{replica.name}")
        assert (await waiting).status_code == 503
        await stream.task
        assert stream.is_whole
