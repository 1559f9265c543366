"""What is ordered on the screen is done by the gateway."""

from tests.terminal.top.fleet import shown
from tests.terminal.top.test_feed import feed_of
from tests.waiting import until
from tests.wire.operated import operated
from tests.wire.sims import fast
from vllm_gateway.tasks import Tasks

LONG = {"model": "sim-small", "messages": [{"role": "user", "content": "Go on."}], "max_tokens": 4000}


async def test_a_replica_is_drained_when_the_answer_is_yes() -> None:
    """Not before, and not when it is no; then it can be asked again."""
    async with operated(fast(), fast()) as one, shown(feed_of(one)) as (app, pilot):
        first, second = one.door.parts.pool.replicas
        await pilot.press("down", "d")
        assert not second.is_draining
        await pilot.press("n")
        await app.workers.wait_for_complete()
        assert not second.is_draining
        await pilot.press("d", "y")
        await until(lambda: second.is_draining)
        await app.workers.wait_for_complete()
        assert not first.is_draining
        assert app._scene().marked("replicas").state == "drained"
        await pilot.press("r", "y")
        await until(lambda: not second.is_draining)
        await app.workers.wait_for_complete()


async def test_a_request_is_stopped_when_the_answer_is_yes() -> None:
    """Its caller is told; it is gone from the screen and stands among the events."""
    async with operated(fast(itl_ms=20)) as one:
        asked = Tasks("test").start(one.door.http.post("/v1/chat/completions", json=LONG), name="long")
        await until(lambda: any(each.attempts for each in one.door.parts.ledger.live.values()))
        async with shown(feed_of(one)) as (app, pilot):
            await pilot.press("3", "x", "y")
            assert (await asked).status_code == 403
            await app.workers.wait_for_complete()
            await until(lambda: not app.workers)
            assert app._scene().rows("requests") == []
            assert [row.outcome for row in app._scene().rows("events")] == ["auth"]


async def test_an_order_that_cannot_be_done_is_told() -> None:
    """A replica may have gone in the meantime."""
    async with operated(fast(), fast()) as one, shown(feed_of(one)) as (app, pilot):
        one.door.parts.pool.remove("default-2")
        await pilot.press("down", "d", "y")
        await until(lambda: bool(app._notifications))
        await app.workers.wait_for_complete()
        assert [note.severity for note in app._notifications] == ["error"]
        assert [row.name for row in app._scene().rows("replicas")] == ["default-1"]
