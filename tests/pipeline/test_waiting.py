"""The turnstile, for exchanges."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.exchanges import exchange
from tests.upstream.test_answers import Notes, chat
from tests.waiting import until
from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.callers import Caller, Priority
from vllm_gateway.clock import SystemClock
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.pipeline.waiting import Waiting
from vllm_gateway.settings.admission import Queue
from vllm_gateway.settings.model import Upstream
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import Replica

CLOCK = SystemClock()


def made(places: int = 1) -> tuple[Waiting, Turnstile[Replica], Pool]:
    """Return the waiting room before two replicas."""
    upstreams = [Upstream(url=f"http://127.0.0.1:{port}", max_concurrent=places) for port in (9, 10)]
    pool = Pool(upstreams, clock=CLOCK, connect_s=1)
    for replica in pool.replicas:
        replica.see(Sign.PROBE_ANSWERED)
    turnstile: Turnstile[Replica] = Turnstile(Queue(), clock=CLOCK)
    return Waiting(turnstile, heartbeat_s=15, deadlines=Deadlines(CLOCK), clock=CLOCK), turnstile, pool


def last(free: Sequence[Replica]) -> Replica:
    """Choose the last one."""
    return free[-1]


async def test_it_is_chosen_among_those_that_have_room() -> None:
    """Room elsewhere is better than a place in a line."""
    waiting, _, pool = made()
    one = exchange()
    first = await waiting.enter(one, pool.replicas, last, Notes())
    second = await waiting.enter(one, pool.replicas, last, Notes())
    assert [first.name, second.name] == [pool.replicas[1].name, pool.replicas[0].name]


@pytest.mark.parametrize("usage", [Usage(3, 4), None])
async def test_a_place_is_given_back_with_what_was_used(usage: Usage | None) -> None:
    """What nobody knows changes no guess."""
    waiting, turnstile, pool = made()
    one = exchange()
    replica = await waiting.enter(one, pool.replicas, last, Notes())
    guess = turnstile._guess_tokens
    one.usage = usage
    waiting.leave(one, replica)
    assert replica.outstanding == 0
    assert (turnstile._guess_tokens == guess) is (usage is None)


async def test_a_caller_is_its_key_or_its_address() -> None:
    """Each is served by itself, at the weight of its class."""
    waiting, turnstile, pool = made(places=5)

    async def served(one: Exchange) -> float:
        await waiting.enter(one, pool.replicas, last, Notes())
        return turnstile._queue._served[one.caller.id or one.address]

    by_key, by_address = exchange(), chat()
    by_key.caller = Caller("key-1", priority=Priority.INTERACTIVE)
    by_address.address = "10.0.0.1"
    assert await served(by_key) * 4 == await served(by_address)


async def test_a_place_given_to_a_caller_who_is_just_leaving_is_not_lost() -> None:
    """Between a caller's leaving and its wait's end a replica may become free; the next caller gets it."""
    waiting, turnstile, pool = made()
    one = exchange()
    taken = [await waiting.enter(one, pool.replicas, last, Notes()) for _ in pool.replicas]
    waits = Tasks("test").start(waiting.enter(exchange(), pool.replicas, last, Notes()), name="waits")
    await until(lambda: turnstile.waiting == 1)
    waits.cancel()
    waiting.leave(one, taken[0])
    await asyncio.wait([waits])
    assert waits.cancelled()
    assert [replica.outstanding for replica in taken] == [0, 1]
