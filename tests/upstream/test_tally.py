"""What has been done with replicas."""

from tests.waiting import until
from tests.wire.sims import fast, fleet
from tests.wire.streams import Streamed, ask
from vllm_gateway.upstream.health import Sign


async def test_every_attempt_is_counted_with_its_result() -> None:
    """A failed one by the code of its error; the answer of another replica does not hide it."""
    async with fleet(fast(), fast()) as (sims, door):
        for sim in sims:
            sim.faults.add(["status=500x1"])
        for _ in range(3):
            await ask(door.http)
        tally = door.parts.pool.tally
    assert {result for _, result in tally.attempts} == {"ok", "upstream_error"}
    assert sum(count for (_, result), count in tally.attempts.items() if result == "ok") == 2
    assert tally.attempts.total() == sum(len(sim.log.requests) for sim in sims) - sum(
        seen.target != "/v1/chat/completions" for sim in sims for seen in sim.log.requests
    )


async def test_a_caller_who_leaves_cancels_an_attempt() -> None:
    """It is neither answered nor failed."""
    async with fleet(fast(itl_ms=50)) as (_, door):
        stream = Streamed(door.http, "Hello", tokens=500)
        await until(lambda: bool(stream.text), within_s=20)
        stream.task.cancel()
        await until(lambda: not door.parts.ledger.live, within_s=20)
        assert door.parts.pool.tally.attempts == {("default-1", "cancelled"): 1}


async def test_what_became_of_broken_streams_is_counted() -> None:
    """By why they broke; one that could not go on elsewhere counts too."""
    async with fleet(fast(faults=["reset@5x1"]), fast()) as (_, door):
        first = Streamed(door.http, "Hello", tokens=30)
        await first.task
        assert door.parts.pool.tally.resumes == {("resumed", "upstream_interrupted"): 1}


async def test_ejections_outlive_the_replica() -> None:
    """They are counted by what was seen, once each time that it goes out."""
    async with fleet(fast(), fast()) as (_, door):
        pool = door.parts.pool
        replica = pool.replicas[0]
        for _ in range(2):
            replica.see(Sign.UNREACHABLE)
        pool.remove(replica.name)
        assert pool.tally.ejections == {(replica.name, "unreachable"): 1}
