"""A second chance on another replica, and when there is none."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from tests.gateway import Gateway, gateway
from tests.scripted import MODEL as SCRIPTED
from tests.scripted import Scripted, Visit, as_replica, scripted
from tests.wire.sims import asked, fast, fleet
from vllm_gateway.outcomes import Outcome
from vllm_gateway.sim import RunningSim
from vllm_gateway.upstream.budget import FLOOR_PER_S

CHAT = "/v1/chat/completions"
ASKING = {"model": "sim-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "temperature": 0}
STREAM = {**ASKING, "stream": True}
FINISHED = b'data: {"choices":[{"index":0,"delta":{"content":"."},"finish_reason":"stop"}]}\n\n'


def go_first(door: Gateway, sim: RunningSim | Scripted) -> None:
    """Make a replica the next one to be asked."""
    address = sim.url.removesuffix("/v1").split("//")[1].encode()
    for replica in door.parts.pool.replicas:
        replica.turn = 0 if address in replica.request(b"GET", "/") else 1


@pytest.mark.parametrize("body", [ASKING, STREAM], ids=["one piece", "stream"])
@pytest.mark.parametrize(
    "fault", ["status=500", "status=502", "status=503", "status=429", "status=429:9", "status=408", "reset", "eof"]
)
async def test_another_replica_answers_what_one_could_not(fault: str, body: dict[str, object]) -> None:
    """F-02: whatever it said or did not say: the caller sees an answer."""
    async with fleet(fast(), fast(), retry={"wait_s": 0}) as (sims, door):
        sims[0].faults.add([fault])
        go_first(door, sims[0])
        reply = await door.http.post(CHAT, json=body)
        assert reply.status_code == 200
        assert door.parts.ledger.outcomes == {Outcome.OK_RETRIED: 1}
        assert len(asked(sims[1])) == 1


@pytest.mark.parametrize("fault", ["status=400", "status=422", "status=413", "filter"])
async def test_the_callers_own_mistakes_are_not_tried_again(fault: str) -> None:
    """No other replica would say anything else; its words pass."""
    async with fleet(fast(), fast()) as (sims, door):
        for sim in sims:
            sim.faults.add([fault])
        reply = await door.http.post(CHAT, json=ASKING)
        assert 400 <= reply.status_code < 500
        assert reply.json()["error"]["message"]
        assert sum(len(asked(sim)) for sim in sims) == 1
        assert door.parts.ledger.outcomes == {Outcome.BAD_REQUEST: 1}


async def test_the_only_replica_is_waited_for_when_it_asks_for_patience() -> None:
    """It names a second, and answers then."""
    async with fleet(fast()) as ((sim,), door):
        sim.faults.add(["status=429:1x1"])
        began = time.perf_counter()
        reply = await door.http.post(CHAT, json=ASKING)
        assert reply.status_code == 200
        assert time.perf_counter() - began > 0.9
        assert len(asked(sim)) == 2


async def test_more_patience_than_a_request_has_is_passed_on() -> None:
    """The caller is told when to come again, and who comes before is not let through to the replica."""
    async with fleet(fast()) as ((sim,), door):
        sim.faults.add(["status=429:9x1"])
        first = await door.http.post(CHAT, json=ASKING)
        assert (first.status_code, first.headers["retry-after"]) == (429, "9")
        second = await door.http.post(CHAT, json=ASKING)
        assert (second.status_code, second.headers["retry-after"]) == (503, "9")
        assert len(asked(sim)) == 1


async def test_who_asked_for_patience_is_spared_by_others_too() -> None:
    """F-02: as long as there is somebody else."""
    async with fleet(fast(), fast(), retry={"wait_s": 0}) as (sims, door):
        sims[0].faults.add(["status=503:30x1"])
        go_first(door, sims[0])
        replies = [await door.http.post(CHAT, json=ASKING) for _ in range(6)]
        assert [reply.status_code for reply in replies] == [200] * 6
        assert (len(asked(sims[0])), len(asked(sims[1]))) == (1, 6)


async def test_when_all_are_overloaded_the_caller_is_told_at_once() -> None:
    """F-02: 503 with a time to come again; nobody is taken for ill."""
    async with fleet(fast(), fast(), retry={"wait_s": 0}) as (sims, door):
        for sim in sims:
            sim.faults.add(["status=503"])
        reply = await door.http.post(CHAT, json=ASKING)
        assert reply.status_code == 503
        assert "retry-after" in reply.headers
        assert [len(asked(sim)) for sim in sims] == [1, 1]
        assert all(replica.is_usable for replica in door.parts.pool.replicas)
        assert door.parts.ledger.outcomes == {Outcome.REFUSED_OVERLOAD: 1}


@pytest.mark.parametrize(("retry", "tries"), [({"attempts": 2}, 2), ({"attempts": 1}, 1), ({"budget_percent": 0}, 1)])
async def test_there_are_no_more_tries_than_allowed(retry: dict[str, float], tries: int) -> None:
    """By the settings and by the budget."""
    async with fleet(fast(), fast(), fast(), retry={"wait_s": 0, **retry}) as (sims, door):
        for sim in sims:
            sim.faults.add(["status=500"])
        reply = await door.http.post(CHAT, json=ASKING)
        assert reply.status_code == 502
        assert sum(len(asked(sim)) for sim in sims) == tries


async def test_a_storm_of_failures_is_not_doubled() -> None:
    """With everything down retries stay within a fifth, and the floor."""
    settings: dict[str, Any] = {"retry": {"wait_s": 0}, "probe": {"every_s": 600, "panic_percent": 100}}
    async with fleet(fast(), fast(), **settings) as (sims, door):
        for sim in sims:
            sim.faults.add(["status=500"])
        began = time.perf_counter()
        replies = [await door.http.post(CHAT, json=ASKING) for _ in range(150)]
        floor = 40 + (time.perf_counter() - began) * FLOOR_PER_S
        assert {reply.status_code for reply in replies} <= {502, 503}
        assert 150 < sum(len(asked(sim)) for sim in sims) <= 150 * 1.2 + floor


async def test_a_failing_replica_costs_few_attempts() -> None:
    """It is soon left alone: not more than 1.2 attempts for each request, and no request fails."""
    async with fleet(fast(), fast(), fast(), retry={"wait_s": 0}) as (sims, door):
        sims[0].faults.add(["status=500"])
        replies = [await door.http.post(CHAT, json=ASKING) for _ in range(60)]
        assert {reply.status_code for reply in replies} == {200}
        assert sum(len(asked(sim)) for sim in sims) <= 60 * 1.2


async def test_tries_that_failed_together_do_not_come_back_together() -> None:
    """The waits between are drawn by lot."""
    async with fleet(fast(), fast(), retry={"wait_s": 0.1}) as (sims, door):
        sims[0].faults.add(["status=500"])
        go_first(door, sims[0])
        door.parts.pool.replicas[1].turn = 100
        began = time.perf_counter()

        async def took() -> float:
            reply = await door.http.post(CHAT, json=ASKING)
            assert reply.status_code == 200
            return time.perf_counter() - began

        times = await asyncio.gather(*(took() for _ in range(8)))
        assert max(times) - min(times) > 0.02


async def test_a_route_has_its_own_patience_with_silence() -> None:
    """A replica that says nothing is given up after the route's time, and never asked again for this request."""
    counts: Counter[str] = Counter()

    async def silent(visit: Visit, _: bytes) -> None:
        counts["silent"] += 1
        await visit.until_closed()

    async def well(visit: Visit, _: bytes) -> None:
        counts["well"] += 1
        await visit.say_stream_head()
        await visit.say_events(FINISHED, b"data: [DONE]\n\n", is_last=True)

    async with (
        scripted(as_replica(silent)) as one,
        scripted(as_replica(well)) as other,
        gateway(one.url, other.url, routes={"default": {"first_token_s": 0.6}}, retry={"wait_s": 0}) as door,
    ):
        go_first(door, one)
        reply = await door.http.post(CHAT, json={"model": SCRIPTED, "messages": [], "stream": True})
        assert (reply.status_code, reply.content) == (200, FINISHED + b"data: [DONE]\n\n")
        assert counts == {"silent": 1, "well": 1}
