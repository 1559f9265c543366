"""A second replica for answers that are late, on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.gateway import Gateway, gateway
from tests.scripted import MODEL as SCRIPTED
from tests.scripted import Visit, as_replica, scripted
from tests.waiting import PATIENCE_S, until
from tests.wire.sims import asked, fast, fleet
from vllm_gateway import codec
from vllm_gateway.outcomes import Outcome
from vllm_gateway.sim import RunningSim

CHAT = "/v1/chat/completions"
ASKING: dict[str, Any] = {
    "model": "sim-small",
    "messages": [{"role": "user", "content": "Tell me of the sea."}],
    "max_tokens": 12,
    "temperature": 0,
    "stream": True,
}
HEDGE = {"enabled": True, "least_wait_s": 0.1, "budget_percent": 100}
FINISHED = b'data: {"choices":[{"index":0,"delta":{"content":"."},"finish_reason":"stop"}]}\n\n'
KNOWN = 20
"""So many first tokens say what is usual."""


@asynccontextmanager
async def hedging(
    sims: int = 2,
    *,
    itl_ms: float = 0,
    **settings: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[tuple[list[RunningSim], Gateway]]:
    """Run a fleet that has answered often enough to know when a first token is late."""
    kinds = [fast(itl_ms=itl_ms) for _ in range(sims)]
    settings = {"hedge": HEDGE, **settings}
    async with fleet(*kinds, **settings) as (running, door):
        for _ in range(KNOWN):
            assert (await door.http.post(CHAT, json={**ASKING, "max_tokens": 1})).status_code == 200
        for sim in running:
            sim.log.clear()
        door.parts.ledger.outcomes.clear()
        yield running, door


def go_first(door: Gateway, sim: RunningSim) -> None:
    """Make a replica the next one to be asked."""
    address = sim.url.removesuffix("/v1").split("//")[1].encode()
    for replica in door.parts.pool.replicas:
        replica.turn = 0 if address in replica.request(b"GET", "/") else 1


def is_idle(door: Gateway) -> bool:
    """Say whether no replica has anything to do for the gateway."""
    return all(replica.outstanding == 0 and replica.work == 0 for replica in door.parts.pool.replicas)


async def test_the_quicker_replica_answers_and_the_late_one_stops() -> None:
    """The caller waits for the second replica only; the first one's request is closed long before it would answer."""
    async with hedging() as (sims, door):
        slow, quick = sims
        slow.faults.add(["slow=600"])
        go_first(door, slow)
        async with asyncio.timeout(PATIENCE_S):
            reply = await door.http.post(CHAT, json=ASKING)
        assert told(reply) == await alone(quick)
        await until(lambda: is_idle(door))
        (seen,) = [each for each in slow.log.requests if each.target == CHAT]
        await until(lambda: seen.gone_at is not None)
        assert door.parts.ledger.outcomes == {Outcome.OK: 1}


async def test_a_late_replica_that_is_quicker_still_answers() -> None:
    """The second one is slower yet: it stops, and the answer is that of the first."""
    async with hedging() as (sims, door):
        late, later = sims
        late.faults.add(["slow=0.4"])
        later.faults.add(["slow=600"])
        go_first(door, late)
        reply = await door.http.post(CHAT, json=ASKING)
        assert told(reply) == await alone(late)
        assert len(asked(later)) == 1
        await until(lambda: is_idle(door))
        assert door.parts.ledger.outcomes == {Outcome.OK: 1}


async def test_who_is_in_time_is_alone() -> None:
    """No second request is made."""
    async with hedging(hedge={**HEDGE, "least_wait_s": 1}) as (sims, door):
        for _ in range(10):
            assert (await door.http.post(CHAT, json=ASKING)).status_code == 200
        assert sum(len(asked(sim)) for sim in sims) == 10


async def test_an_answer_that_is_in_time_and_long_is_left_alone() -> None:
    """Late is about the first token; the whole may take as long as it takes."""
    async with hedging(itl_ms=40, hedge={**HEDGE, "least_wait_s": 0.25}) as (sims, door):
        assert (await door.http.post(CHAT, json=ASKING)).status_code == 200
        assert sum(len(asked(sim)) for sim in sims) == 1


@pytest.mark.parametrize("failures", [1, 2])
async def test_a_race_that_loses_its_runners_still_comes_to_an_answer(failures: int) -> None:
    """The other one makes good what one has failed at; when both fail, a third one is asked."""
    delays = iter([0.2] * failures)
    visits: list[int] = []

    async def play(visit: Visit, _: bytes) -> None:
        is_warm = len(visits) >= KNOWN
        visits.append(visit.number)
        if is_warm and (delay_s := next(delays, None)) is not None:
            await asyncio.sleep(delay_s)
            await visit.say_json(b"{}", "500 Internal Server Error")
            return
        if is_warm:
            await asyncio.sleep(0.15 if failures == 1 else 0)
        await visit.say_stream_head()
        await visit.say_events(FINISHED, b"data: [DONE]\n\n", is_last=True)

    async with (
        scripted(as_replica(play)) as one,
        scripted(as_replica(play)) as two,
        scripted(as_replica(play)) as three,
        gateway(one.url, two.url, three.url, hedge=HEDGE, retry={"wait_s": 0}) as door,
    ):
        asking = {"model": SCRIPTED, "messages": [], "stream": True}
        for _ in range(KNOWN):
            assert (await door.http.post(CHAT, json=asking)).status_code == 200
        reply = await door.http.post(CHAT, json=asking)
        assert (reply.status_code, reply.content) == (200, FINISHED + b"data: [DONE]\n\n")
        await until(lambda: is_idle(door))
        assert len(visits) == KNOWN + failures + 1
        assert door.parts.ledger.outcomes == {Outcome.OK: KNOWN, Outcome.OK_RETRIED: 1}


async def test_a_caller_who_leaves_stops_both() -> None:
    """Neither replica works on for nobody."""
    async with hedging() as (sims, door):
        for sim in sims:
            sim.faults.add(["slow=600"])
        caller = asyncio.ensure_future(door.http.post(CHAT, json=ASKING))  # noqa: TID251 - a test's own
        await until(lambda: all(asked(sim) for sim in sims))
        caller.cancel()
        await until(lambda: is_idle(door))
        seen = [each for sim in sims for each in sim.log.requests if each.target == CHAT]
        await until(lambda: all(each.gone_at is not None for each in seen))
        await until(lambda: door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 1})


async def test_the_budget_bounds_what_is_asked_twice() -> None:
    """With everything slow no more than its share is doubled."""
    async with hedging(hedge={**HEDGE, "least_wait_s": 0.02, "budget_percent": 5}) as (sims, door):
        for sim in sims:
            sim.faults.add(["slow=0.1"])
        replies = await asyncio.gather(*(door.http.post(CHAT, json=ASKING) for _ in range(60)))
        assert {reply.status_code for reply in replies} == {200}
        assert 60 < sum(len(asked(sim)) for sim in sims) <= 60 + (60 + KNOWN) * 0.05 + 1


async def test_the_winner_may_die_and_its_stream_goes_on() -> None:
    """A stream that was won in a race is as safe as any other."""
    async with hedging(3) as (sims, door):
        slow, dying, _ = sims
        slow.faults.add(["slow=600"])
        dying.faults.add(["reset@5"])
        go_first(door, slow)
        reply = await door.http.post(CHAT, json=ASKING)
        assert told(reply) == await alone(slow)


async def test_an_answer_in_one_piece_is_not_asked_twice() -> None:
    """How long it takes says nothing: it may just be long."""
    async with hedging() as (sims, door):
        sims[0].faults.add(["slow=0.3"])
        go_first(door, sims[0])
        assert (await door.http.post(CHAT, json={**ASKING, "stream": False})).status_code == 200
        assert sum(len(asked(sim)) for sim in sims) == 1


async def alone(sim: RunningSim) -> tuple[str, str | None]:
    """Return what a replica answers when it is asked without a gateway."""
    await sim.faults.clear()
    async with httpx2.AsyncClient(timeout=PATIENCE_S, trust_env=False) as http:
        return told(await http.post(f"{sim.url.removesuffix('/v1')}{CHAT}", json=ASKING))


def told(reply: httpx2.Response) -> tuple[str, str | None]:
    """Return the text of a stream that came to its end, and why it ended."""
    assert reply.status_code == 200
    lines = [line[6:] for line in reply.text.split("\n") if line.startswith("data: ")]
    assert lines.count("[DONE]") == 1
    assert lines[-1] == "[DONE]"
    chunks = [codec.loads(line) for line in lines[:-1]]
    assert sum("role" in chunk["choices"][0]["delta"] for chunk in chunks) == 1
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    (reason,) = [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"][0]["finish_reason"]]
    return text, reason
