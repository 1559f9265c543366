"""Full replicas: who waits, for how long, and what they hear meanwhile."""

import asyncio
import statistics
import time
from typing import Any

import httpx2

from tests.gateway import Gateway, gateway
from tests.waiting import until
from tests.wire.crowd import Held, crowd, held
from tests.wire.sims import asked, fast
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim, SimSettings, start

CHAT = "/v1/chat/completions"
PLACES = 8
HELLO: dict[str, Any] = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}


class Small:
    """A gateway before one replica that takes so many requests at once."""

    def __init__(self, places: int, kind: SimSettings, **settings: Any) -> None:  # noqa: ANN401 - any setting
        self._places = places
        self._kind = kind
        self._settings = settings

    async def __aenter__(self) -> tuple[RunningSim, Gateway]:
        self._sim = await start(self._kind)
        upstream = Upstream(url=self._sim.url, max_concurrent=self._places)
        self._door = gateway(upstream, probe={"every_s": 600}, **self._settings)
        return self._sim, await self._door.__aenter__()

    async def __aexit__(self, *fault: object) -> None:
        await self._door.__aexit__(None, None, None)
        await self._sim.close()


async def ask(door: Gateway, key: str = "", **fields: Any) -> httpx2.Response:  # noqa: ANN401 - any field
    """Ask for a short answer."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return await door.http.post(CHAT, json={**HELLO, **fields}, headers=headers)


def asking(door: Gateway, key: str = "", **fields: Any) -> "asyncio.Task[httpx2.Response]":  # noqa: ANN401 - any field
    """Begin to ask."""
    return asyncio.get_running_loop().create_task(ask(door, key, **fields))


async def test_more_than_fit_wait_and_all_are_answered() -> None:
    """No replica ever gets more than it may have."""
    async with Small(2, fast(ttft_ms=20)) as (sim, door):
        tasks = [asking(door) for _ in range(12)]
        assert [(await task).status_code for task in tasks] == [200] * 12
        assert len(asked(sim)) == 12
        assert sim.engine.scheduler.most_running == 2


async def test_a_full_queue_is_told_at_once() -> None:
    """503 with `Retry-After`, at best in less than 50 ms, and the replica is not asked."""
    async with Small(1, fast(), queue={"size": 1}) as (sim, door):
        sim.faults.add(["wedge"])
        tasks = [asking(door), asking(door)]
        await until(lambda: len(door.parts.ledger.live) == 2 and len(asked(sim)) == 1)
        took_s = []
        for _ in range(10):
            began = time.perf_counter()
            reply = await ask(door)
            took_s.append(time.perf_counter() - began)
        await sim.faults.clear()
        for task in tasks:
            assert (await task).status_code == 200
        assert len(asked(sim)) == 2
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "queue_full")
    assert int(reply.headers["retry-after"]) >= 1
    assert min(took_s) < 0.05


async def test_a_wait_has_an_end() -> None:
    """Then it is 503, and the replica never hears of it."""
    async with Small(1, fast(), queue={"wait_s": 0.1}) as (sim, door):
        sim.faults.add(["wedge"])
        running = asking(door)
        await until(lambda: len(asked(sim)) == 1)
        reply = await ask(door)
        await sim.faults.clear()
        assert (await running).status_code == 200
        assert len(asked(sim)) == 1
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "queue_timeout")


async def test_who_leaves_leaves_the_queue() -> None:
    """The replica is never asked for somebody who is gone."""
    async with Small(1, fast()) as (sim, door):
        sim.faults.add(["wedge"])
        running = asking(door)
        await until(lambda: len(asked(sim)) == 1)
        left = asking(door)
        await until(lambda: len(door.parts.ledger.live) == 2)
        left.cancel()
        await until(lambda: len(door.parts.ledger.live) == 1)
        await sim.faults.clear()
        assert (await running).status_code == 200
        assert (await ask(door)).status_code == 200
        assert len(asked(sim)) == 2


async def test_a_stream_hears_that_it_is_not_forgotten() -> None:
    """Comments come while it waits; the answer follows as if there had been none."""
    async with Small(1, fast(ttft_ms=1200), sse_heartbeat_s=0.2) as (sim, door):
        running = asking(door)
        await until(lambda: len(asked(sim)) == 1)
        reply = await ask(door, stream=True)
        assert (await running).status_code == 200
    comments, _, answer = reply.text.partition("data: ")
    assert comments.count(": keepalive\n\n") >= 2
    assert answer.endswith("data: [DONE]\n\n")
    assert ": keepalive" not in answer


async def test_a_light_caller_does_not_wait_behind_heavy_ones() -> None:
    """With 50 greedy keys and one light, the light one's p95 wait is under twice the mean time of an answer."""
    keys = [f"greedy-key-{number:02}" for number in range(50)]
    light = "light-key-0123"
    auth = {"mode": "keys", "client_keys": [*keys, light]}
    async with (
        held(PLACES, auth=auth, queue={"size": 5000, "wait_s": 600}) as (replica, door),
        crowd(door, keys * 24),
    ):
        await until(lambda: len(door.parts.ledger.live) == 1200)
        waits = [await waited(replica, door, light) for _ in range(12)]
        assert len(door.parts.ledger.live) > 200  # there was a queue all the time
    assert statistics.quantiles(waits, n=20)[-1] < 2


async def waited(replica: Held, door: Gateway, key: str) -> float:
    """Ask, and ask no more until some others were answered too: a caller who asks all the time is not light.

    Return how long it waited, in mean times of an answer: so long as every place was given anew once. Counted like
    that it does not matter how busy the machine is.
    """
    turnstile = door.parts.fronts._standing.turnstile
    before, others = turnstile.waiting, -1
    async with crowd(door, [key]):
        await until(lambda: turnstile.waiting == before + 1)
        while key.encode() not in replica.asked[-1]:
            await replica.let_go()
            others += 1
        for _ in range(60):
            await replica.let_go()
    return others / PLACES


async def test_a_replica_that_says_it_is_full_is_believed() -> None:
    """With `queue.replica_waiting` its own line decides, and the rest waits here."""
    sim = await start(fast(ttft_ms=400, max_num_seqs=2))
    settings = {"queue": {"replica_waiting": 1}, "probe": {"every_s": 0.05}}
    async with gateway(sim.url, **settings) as door:
        first = [asking(door) for _ in range(6)]
        (replica,) = door.parts.pool.replicas
        await until(lambda: replica.learned_outstanding < 6)
        before = len(asked(sim))
        more = [asking(door) for _ in range(4)]
        await until(lambda: len(door.parts.ledger.live) == 10)
        assert len(asked(sim)) == before
        assert [(await task).status_code for task in [*first, *more]] == [200] * 10
    await sim.close()


async def test_the_class_of_a_key_reaches_replicas_that_look_at_it() -> None:
    """Only those: another vLLM would refuse the request."""
    sim = await start(fast())
    for takes, sent in ((True, 1), (False, None)):
        async with gateway(Upstream(url=sim.url, priority_scheduling=takes)) as door:
            assert (await ask(door, priority=-5)).status_code == 200
        assert asked(sim)[-1].get("priority") == sent
    await sim.close()


async def test_when_a_replica_dies_those_who_wait_go_to_the_other() -> None:
    """Only what ran on it is tried again; nobody is sent to one that is known to be gone."""
    sims = [await start(fast()) for _ in range(2)]
    for sim in sims:
        sim.faults.add(["wedge"])
    upstreams = [Upstream(url=sim.url, max_concurrent=2) for sim in sims]
    async with gateway(*upstreams, probe={"every_s": 600}, retry={"attempts": 2, "budget_percent": 100}) as door:
        tasks = [asking(door) for _ in range(10)]
        await until(lambda: len(door.parts.ledger.live) == 10 and len(asked(sims[0])) == 2)
        await sims[0].close()
        await sims[1].faults.clear()
        assert [(await task).status_code for task in tasks] == [200] * 10
        assert len(asked(sims[1])) == 10
        assert [replica.outstanding for replica in door.parts.pool.replicas] == [0, 0]
    await sims[1].close()


async def test_when_the_only_replica_dies_nobody_waits_for_it() -> None:
    """They are told at once, not when their time in the queue is over."""
    async with Small(1, fast(), queue={"wait_s": 600}) as (sim, door):
        sim.faults.add(["wedge"])
        tasks = [asking(door) for _ in range(4)]
        await until(lambda: len(door.parts.ledger.live) == 4 and len(asked(sim)) == 1)
        await sim.close()
        codes = sorted([(await task).status_code for task in tasks])
    assert set(codes) <= {502, 503}


async def test_who_waits_at_the_end_is_answered_or_told() -> None:
    """A gateway that stops lets them go on for `drain_s`, and tells the rest."""
    async with Small(1, fast(ttft_ms=400), drain_s=3) as (sim, door):
        sim.faults.add(["wedge"])
        tasks = [asking(door) for _ in range(4)]
        await until(lambda: len(door.parts.ledger.live) == 4 and len(asked(sim)) == 1)
        door.stop()
        await until(lambda: door.parts.pipeline.is_draining)
        await sim.faults.clear()
        await until(lambda: len(asked(sim)) >= 2)
        sim.faults.add(["wedge"])
        codes = sorted([(await task).status_code for task in tasks])
    assert codes[0] == 200
    assert codes[-1] == 503
    assert set(codes) == {200, 503}
