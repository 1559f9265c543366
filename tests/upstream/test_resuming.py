"""How often a stream goes on elsewhere, from whom, and when it does not."""

import asyncio
import contextlib

import httpx2

from tests.waiting import until
from tests.wire.sims import asked, fast, fleet
from tests.wire.streams import Streamed
from vllm_gateway.outcomes import Outcome
from vllm_gateway.sim import SimSettings
from vllm_gateway.upstream.health import Health, Sign, State

COMPLETIONS = "/v1/completions"


def failing(*faults: str, **changes: object) -> SimSettings:
    """Return the settings of a replica that breaks streams off."""
    return fast(faults=faults, **changes)


async def ended(stream: Streamed) -> None:
    """Return when a stream is over; one that broke off is not ended properly."""
    with contextlib.suppress(httpx2.RemoteProtocolError):
        await stream.task


async def test_a_stream_goes_on_as_often_as_it_may() -> None:
    """The second leg breaks off too; the third replica brings it to its end."""
    async with fleet(failing("reset@5"), failing("reset@3"), fast()) as (sims, door):
        sims[1].faults.add(["reset@3/v1/completions"])
        stream = Streamed(door.http, "Hello", tokens=30)
        await ended(stream)
        assert stream.is_whole
        assert door.parts.ledger.outcomes == {Outcome.OK_RESUMED: 1}
        assert len(asked(sims[2], COMPLETIONS)) == 1


async def test_more_often_it_does_not() -> None:
    """Then its caller is told, and nothing pretends to be its end."""
    async with fleet(*[failing("reset@5")] * 4, resume={"attempts": 1}) as (sims, door):
        stream = Streamed(door.http, "Hello", tokens=30)
        await ended(stream)
        assert stream.errors[0]["error"]["code"] == "upstream_interrupted"
        assert not stream.is_done
        assert sum(len(asked(sim, COMPLETIONS)) for sim in sims) == 1
        assert door.parts.ledger.outcomes == {Outcome.UPSTREAM_TRUNCATED: 1}


async def test_switched_off_nothing_goes_on() -> None:
    """And no replica is asked for token ids."""
    async with fleet(failing("reset@5"), failing("reset@5"), resume={"enabled": False}) as (sims, door):
        stream = Streamed(door.http, "Hello", tokens=30)
        await ended(stream)
        assert stream.errors
        bodies = asked(sims[0]) + asked(sims[1])
        assert len(bodies) == 1
        assert "return_token_ids" not in bodies[0]


async def test_alone_a_replica_is_not_asked_for_token_ids() -> None:
    """Nobody could go on with them."""
    async with fleet(fast()) as (sims, door):
        await Streamed(door.http, "Hello", tokens=3).task
        assert "return_token_ids" not in asked(sims[0])[0]


async def test_what_kills_two_replicas_is_tried_on_no_third() -> None:
    """And not when it is asked again, either; everything else is answered."""
    slow = fast(itl_ms=20)
    async with fleet(slow, slow, slow, probe={"every_s": 600, "panic_percent": 0}) as (sims, door):
        stream = Streamed(door.http, "Deadly", tokens=200)
        killed = []
        for _ in range(2):
            await until(lambda: any(sim.engine.scheduler.running for sim in sims if sim not in killed))
            await asyncio.sleep(0.1)
            killed.append(next(sim for sim in sims if sim not in killed and sim.engine.scheduler.running))
            killed[-1].stop_listening(cut=True)
        await ended(stream)
        assert stream.errors
        survivor = next(sim for sim in sims if sim not in killed)
        assert not survivor.log.requests or not asked(survivor, COMPLETIONS)
        again = Streamed(door.http, "Deadly", tokens=200)
        await ended(again)
        assert again.status == 502
        other = Streamed(door.http, "Harmless", tokens=3)
        await ended(other)
        assert other.is_whole


async def test_servers_of_another_kind_are_not_asked_for_token_ids() -> None:
    """They might refuse it; a greedy answer goes on all the same, word for word."""
    other = ("status=404/version",)
    async with fleet(fast(faults=("reset@5", *other)), fast(faults=other)) as (sims, door):
        stream = Streamed(door.http, "Hello", tokens=30)
        await ended(stream)
        assert stream.is_whole
        bodies = asked(sims[0]) + asked(sims[1])
        assert len(bodies) == 2
        assert all("return_token_ids" not in body for body in bodies)
        undisturbed = Streamed(door.http, "Hello", tokens=30)
        await ended(undisturbed)
        assert stream.text == undisturbed.text


async def test_a_replica_of_unknown_kind_is_compared() -> None:
    """Two that differ in their weights only look alike until they have told; what is greedy is heard again first."""
    async with fleet(fast(seed=1, faults=("reset@5",)), fast(seed=2, faults=("reset@5",))) as (sims, door):
        for replica in door.parts.pool.replicas:
            replica.fingerprints.clear()
        stream = Streamed(door.http, "Hello", tokens=30)
        await ended(stream)
        assert stream.errors
        assert not stream.is_done
        assert not asked(sims[0], COMPLETIONS) + asked(sims[1], COMPLETIONS)


async def test_one_replica_that_is_out_keeps_nobody_from_going_on() -> None:
    """What it is, nobody knows; it is not asked anyway."""
    async with fleet(fast(), fast(), fast()) as (sims, door):
        sims[2].stop_listening(cut=True)
        door.parts.pool.replicas[2].see(Sign.UNREACHABLE)
        for sim in sims[:2]:
            sim.faults.add(["reset@5x1/v1/chat"])
        stream = Streamed(door.http, "Hello", tokens=30)
        await ended(stream)
        assert stream.is_whole
        assert len(asked(sims[0], COMPLETIONS) + asked(sims[1], COMPLETIONS)) == 1


async def test_an_answer_that_lacks_its_end_only_gets_it() -> None:
    """Nobody is asked for it; the usage is that of the whole."""
    async with fleet(fast(), fast(), resume={"attempts": 1}) as (sims, door):
        for sim in sims:
            sim.faults.add(["eof@30"])
        body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
        body |= {"max_tokens": 30, "ignore_eos": True, "stream_options": {"include_usage": True}}
        reply = await door.http.post("/v1/chat/completions", json=body)
        assert reply.text.endswith("data: [DONE]\n\n")
        assert reply.text.count('"finish_reason":"length"') == 1
        assert '"completion_tokens":30' in reply.text


async def test_who_only_failed_is_asked_when_nobody_else_is_left() -> None:
    """Most are out, so most likely it is not their fault."""
    async with fleet(fast(), fast()) as (sims, door):
        for sim in sims:
            sim.faults.add(["reset@5x1/v1/chat"])
        door.parts.pool.replicas[1].health = Health(State.OPEN, failures=3, cause=Sign.FAILED, until=1e12, ejected_s=2)
        stream = Streamed(door.http, "Hello", tokens=30)
        await ended(stream)
        assert stream.is_whole


async def test_a_stream_that_came_from_two_replicas_tells_of_neither() -> None:
    """What it says of versions was said by the first, and written into what the second one said."""
    async with fleet(fast(), fast()) as (sims, door):
        for replica in door.parts.pool.replicas:
            replica.fingerprints.clear()
        sims[0].faults.add(["reset@5x1/v1/chat"])
        stream = Streamed(door.http, "Hello", tokens=30)
        await ended(stream)
        assert door.parts.ledger.outcomes == {Outcome.OK_RESUMED: 1}
        assert stream.is_whole
        assert all(not replica.fingerprints for replica in door.parts.pool.replicas)
