"""Replicas that are not well, behind a gateway: they are found out, left alone, and tried again."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from tests.gateway import Gateway
from tests.waiting import until
from tests.wire.sims import asked, fast, fleet
from vllm_gateway.sim import RunningSim
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.health import Sign, State
from vllm_gateway.upstream.replica import Replica

CHAT = "/v1/chat/completions"
ASKING = {"model": "sim-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
QUICK = {"every_s": 0.05, "eject_s": 0.05, "stalled_s": 0.3}


def replicas(door: Gateway) -> list[Replica]:
    """Return the gateway's replicas."""
    return list(door.parts.pool.replicas)


def looks(sim: RunningSim) -> int:
    """Return how often its gateway has looked how it gets on."""
    return sum(seen.target == "/metrics" for seen in sim.log.requests)


async def statuses(door: Gateway, times: int) -> list[int]:
    """Ask so many times, one after the other."""
    return [(await door.http.post(CHAT, json=ASKING)).status_code for _ in range(times)]


async def wedge_at_work(sims: list[RunningSim], door: Gateway, tasks: Tasks) -> None:
    """Let a long stream run in the first replica, and freeze that."""
    body = {**ASKING, "stream": True, "max_tokens": 1000, "ignore_eos": True}

    async def listen() -> None:
        async with door.http.stream("POST", CHAT, json=body) as reply:
            async for _ in reply.aiter_bytes():
                pass

    tasks.start(listen(), name="a stream")
    await until(lambda: bool(sims[0].engine.scheduler.running))
    sims[0].faults.add(["wedge"])


async def test_a_wedged_replica_is_out_although_its_health_says_200() -> None:
    """F-23: found out within three times the looks that it may stand still for, and the others are none the worse."""
    async with AsyncExitStack() as stack:
        sims, door = await stack.enter_async_context(fleet(fast(itl_ms=20), fast(), probe=QUICK))
        tasks = Tasks("test")
        stack.push_async_callback(tasks.close)
        first, second = replicas(door)
        first.turn, second.turn = 0, 1
        await wedge_at_work(sims, door, tasks)
        before = looks(sims[0])
        await until(lambda: not first.is_usable)
        assert looks(sims[0]) - before < 3 * QUICK["stalled_s"] / QUICK["every_s"]
        assert first.health.cause is Sign.STALLED
        assert (await door.http.get(f"{sims[0].url}/health")).status_code == 200
        before = len(asked(sims[0]))
        assert await statuses(door, 10) == [200] * 10
        assert len(asked(sims[0])) == before
        assert second.health.state is State.CLOSED


async def test_a_wedged_replica_that_moves_again_is_in_again() -> None:
    """Its own count of tokens says so."""
    async with AsyncExitStack() as stack:
        sims, door = await stack.enter_async_context(fleet(fast(itl_ms=20), probe=QUICK))
        tasks = Tasks("test")
        stack.push_async_callback(tasks.close)
        (replica,) = replicas(door)
        await wedge_at_work(sims, door, tasks)
        await until(lambda: not replica.is_usable)
        await sims[0].faults.clear()
        await until(lambda: replica.is_usable)
        assert await statuses(door, 1) == [200]
        await until(lambda: replica.health.state is State.CLOSED)


async def test_a_busy_replica_is_not_taken_for_a_wedged_one() -> None:
    """Slow tokens are tokens."""
    async with fleet(fast(itl_ms=30), probe=QUICK) as (_, door):
        reply = await door.http.post(CHAT, json={**ASKING, "max_tokens": 20, "ignore_eos": True})
        (replica,) = replicas(door)
        assert reply.status_code == 200
        assert (replica.health.state, replica.returns) == (State.CLOSED, 1)


async def test_a_flapping_replica_is_tried_more_and_more_seldom() -> None:
    """F-24: it comes back at once the first time, and later each time; nobody notices."""
    probe = {"every_s": 0.02, "eject_s": 0.1, "most_eject_s": 0.4}
    async with fleet(fast(), fast(), probe=probe) as (sims, door):
        first, _ = replicas(door)
        pauses, began = [], 0.0
        for _ in range(4):
            sims[0].stop_listening(cut=True)
            await until(lambda: not first.is_usable)
            pauses.append(first.health.ejected_s)
            await sims[0].listen_again()
            began = time.perf_counter()
            await until(lambda: first.is_usable)
            assert await statuses(door, 2) == [200, 200]
            await until(lambda: first.health.state is State.CLOSED)
        assert pauses == [0.1, 0.2, 0.4, 0.4]
        assert time.perf_counter() - began > 0.3


@pytest.mark.parametrize(("panic_percent", "status"), [(50, 200), (0, 503)])
async def test_when_all_have_failed_they_are_asked_all_the_same(panic_percent: int, status: int) -> None:
    """F-24: most likely something else was wrong; whoever switches that off gets a 503."""
    probe = {"every_s": 600, "panic_percent": panic_percent}
    async with fleet(*[fast(faults=("status=500x3",))] * 2, probe=probe) as (sims, door):
        assert await statuses(door, 3) == [502] * 3
        assert [len(asked(sim)) for sim in sims] == [3, 3]
        assert {replica.health.state for replica in replicas(door)} == {State.OPEN}
        assert await statuses(door, 4) == [status] * 4


async def test_one_that_fails_beside_others_is_left_alone() -> None:
    """It has failed three times, and nobody has noticed."""
    async with fleet(fast(faults=("status=500",)), fast(), fast()) as (sims, door):
        assert await statuses(door, 20) == [200] * 20
        assert len(asked(sims[0])) == 3


async def test_one_request_tries_a_replica_that_failed() -> None:
    """Of many at once, one; when it is answered the others come too."""
    kind = fast(ttft_ms=150)
    probe = {"every_s": 0.05, "eject_s": 0.05}
    async with fleet(fast(ttft_ms=150, faults=("status=500x3",)), kind, probe=probe) as (sims, door):
        first, _ = replicas(door)
        for _ in range(3):
            first.turn = -1
            assert await statuses(door, 1) == [200]
        await until(lambda: first.health.state is State.HALF_OPEN)
        assert [len(asked(sim)) for sim in sims] == [3, 3]
        sims[0].wedge(is_wedged=True)  # it is tried for as long as the others come
        asking = asyncio.gather(*(statuses(door, 1) for _ in range(10)))
        await until(lambda: sum(len(asked(sim)) for sim in sims) == 16)
        sims[0].wedge(is_wedged=False)
        assert await asking == [[200]] * 10
        assert [len(asked(sim)) for sim in sims] == [4, 12]
        assert first.health.state is State.CLOSED


async def test_a_request_that_takes_replicas_down_is_tried_on_two_and_no_more() -> None:
    """F-14: the third one lives, and other requests are answered by it; the deadly one is refused from then on."""
    slow = fast(faults=("wedge",))
    async with fleet(slow, slow, fast(), fast(), probe={"every_s": 0.05}) as (sims, door):
        tasks = Tasks("test")
        for sim in sims[:2]:
            tasks.start(die_of_a_request(sim), name="death")
        for turn, replica in enumerate(replicas(door)):
            replica.turn = turn
        first = await door.http.post(CHAT, json=ASKING)
        assert first.status_code == 502
        assert [len(asked(sim)) for sim in sims] == [1, 1, 0, 0]
        again = await door.http.post(CHAT, json=ASKING)
        assert (again.status_code, again.json()["error"]["code"]) == (502, "upstream_error")
        assert [len(asked(sim)) for sim in sims] == [1, 1, 0, 0]
        other = await door.http.post(CHAT, json={**ASKING, "max_tokens": 1})
        assert other.status_code == 200
        await tasks.close()


async def die_of_a_request(sim: RunningSim) -> None:
    """Crash when a request comes."""
    await until(lambda: bool(asked(sim)))
    sim.stop_listening(cut=True)
