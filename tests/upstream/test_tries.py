"""What is taken down while a replica is asked."""

from tests.wire.sims import asked, fast, fleet
from tests.wire.streams import Streamed, ask
from vllm_gateway.upstream.health import Health, State


async def test_a_place_is_given_back_whatever_comes_of_it() -> None:
    """Nothing is left of the work of a request, be it answered, refused or failed."""
    async with fleet(fast(faults=("reset@0x1", "status=500x1"))) as (_, door):
        for _ in range(4):
            await ask(door.http)
        (replica,) = door.parts.pool.replicas
        assert replica.outstanding == 0
        assert abs(replica.work) < 1e-9


async def test_the_fingerprint_is_learnt_from_whole_streams() -> None:
    """It tells later whether another replica would go on with the same words."""
    async with fleet(fast(seed=7)) as (sims, door):
        (replica,) = door.parts.pool.replicas
        replica.fingerprints.clear()
        await Streamed(door.http, "Hello", tokens=3).task
        assert replica.fingerprints == {"sim-small": sims[0].engine.settings.fingerprint}


async def test_one_request_tries_a_replica_that_was_out() -> None:
    """Its answer decides; when its caller left, another one may try."""
    async with fleet(fast(ttft_ms=100), probe={"every_s": 600, "panic_percent": 0}) as (sims, door):
        (replica,) = door.parts.pool.replicas
        replica.health = Health(State.HALF_OPEN, failures=3, ejected_s=2)
        stream = Streamed(door.http, "Hello", tokens=3)
        stream.task.cancel()
        assert replica.is_usable
        first, second = Streamed(door.http, "Hello", tokens=3), Streamed(door.http, "Hello", tokens=3)
        await first.task
        await second.task
        assert sorted([first.status, second.status]) == [200, 503]
        assert replica.health.state is State.CLOSED
        assert len(asked(sims[0])) == 1


async def test_a_route_that_a_replica_lacks_is_remembered() -> None:
    """It is not asked for it again."""
    async with fleet(fast(embedding_models=())) as (sims, door):
        (replica,) = door.parts.pool.replicas
        for _ in range(2):
            reply = await door.http.post("/v1/embeddings", json={"model": "sim-small", "input": "a"})
            assert reply.status_code == 501
        assert replica.lacks == {"/v1/embeddings"}
        assert len(asked(sims[0], "/v1/embeddings")) == 1
