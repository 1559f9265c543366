"""Reserving before, settling after."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.exchanges import exchange
from tests.waiting import until
from vllm_gateway import codec
from vllm_gateway.admission.limits.memory import MemoryLimiter
from vllm_gateway.admission.limits.meters import DAY_S
from vllm_gateway.admission.worst_case import WorstCase
from vllm_gateway.callers import Allowance, Caller
from vllm_gateway.clock import HandClock
from vllm_gateway.dialects.openai import CHUNKS
from vllm_gateway.dialects.reading import understand
from vllm_gateway.errors import BudgetSpent, LimitReached, ReplicaFailed
from vllm_gateway.exchange import Asked, Exchange, Usage
from vllm_gateway.pipeline.metering import Metering, used_tokens
from vllm_gateway.settings.admission import Limits
from vllm_gateway.upstream.deadlines import Deadlines

CASE = WorstCase(prompt_tokens=30, reply_tokens=70)


def asked(**fields: object) -> Asked:
    """Return a chat that is asked for."""
    body = codec.dumps({"max_tokens": 70, **fields})
    return understand(codec.loads(body), body, "/v1/chat/completions", marks=CHUNKS)


class Told:
    """A stream that has said so much of its usage."""

    error = None
    usage = None
    fingerprint = None

    def __init__(self, tokens: int, *, has_data: bool = True) -> None:
        self.tokens = tokens
        self.has_data = has_data

    def feed(self, data: bytes) -> bytes:
        """Pass everything on."""
        return data

    def usage_so_far(self) -> Usage:
        """Return what was said."""
        return Usage(10, self.tokens)

    def is_complete(self) -> bool:
        """Say that it is still under way."""
        return False

    def ending(self) -> bytes:
        """Return nothing."""
        return b""

    def mend(self) -> None:
        """Do nothing."""


def made(**limits: object) -> tuple[Metering, MemoryLimiter, HandClock]:
    """Return a metering over these limits, what it counts in, and its clock."""
    clock = HandClock()
    limiter = MemoryLimiter(clock)
    settings = Limits.model_validate(limits)
    return Metering(settings, limiter, deadlines=Deadlines(clock), clock=clock), limiter, clock


async def run(metering: Metering, one: Exchange, relay: Callable[[Asked], Awaitable[None]], **fields: object) -> None:
    """Have a chat metered."""
    await metering.relay(one, asked(**fields), relay, model="m", serving=[])


async def test_without_limits_nothing_is_told_and_nothing_is_asked_for() -> None:
    """The request passes as it is."""
    metering, _, _ = made()
    seen: list[Asked] = []

    async def relay(what: Asked) -> None:
        seen.append(what)

    one = exchange()
    await run(metering, one, relay, stream=True)
    assert (one.limits, seen[0].tells_usage) == (b"", False)


async def test_a_key_has_limits_of_its_own() -> None:
    """Also where the settings have none."""
    metering, _, _ = made()

    async def relay(_: Asked) -> None:
        one.attempts, one.status, one.usage = 1, 200, Usage(1, 1)

    one = exchange()
    one.caller = Caller("key-1", allowance=Allowance(requests_per_minute=1))
    await run(metering, one, relay)
    with pytest.raises(LimitReached):
        await run(metering, one, relay)


async def test_it_is_noted_how_much_of_a_keys_day_is_used() -> None:
    """With what was reserved, and until midnight; of callers without a key, and of other limits, nothing is noted."""
    metering, _, clock = made(tokens_per_day=1000, requests_per_minute=10)

    async def relay(_: Asked) -> None:
        one.usage = Usage(50, 100)

    for caller, is_noted in ((Caller("key-1"), True), (Caller(""), False)):
        one = exchange()
        one.trail.now = clock.now
        one.caller = caller
        await run(metering, one, relay)
        assert (one.trail.budget is not None) is is_noted
        if one.trail.budget is not None:
            used, until_s = one.trail.budget
            assert 0 < used < 0.2
            assert until_s == pytest.approx(DAY_S - clock.wall() % DAY_S)


@pytest.mark.parametrize(("attempts", "is_free"), [(0, True), (1, False)])
async def test_what_no_replica_saw_is_not_counted(attempts: int, is_free: bool) -> None:
    """A request that failed before anybody was asked has cost nothing; one that was tried has."""
    metering, _, _ = made(requests_per_minute=1)
    one = exchange()

    async def fail(_: Asked) -> None:
        one.attempts = attempts
        raise ReplicaFailed("no")

    with pytest.raises(ReplicaFailed):
        await run(metering, one, fail)
    with pytest.raises(ReplicaFailed if is_free else LimitReached):
        await run(metering, one, fail)


async def test_a_caller_who_leaves_pays_for_the_prompt() -> None:
    """The work had begun, and nobody knows how far it had got."""
    metering, limiter, _ = made(tokens_per_day=1000)
    one = exchange()
    running: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def relay(_: Asked) -> None:
        one.attempts = 1
        await running

    task = asyncio.get_running_loop().create_task(run(metering, one, relay))
    await until(lambda: one.attempts == 1)
    task.cancel()
    await asyncio.wait([task])
    meters = metering._accounts.of(Caller(""), "", "m").meters
    ((remaining, _),) = (await limiter.reserve("next", meters, 1)).left
    assert 1000 - 40 < remaining < 1000 - 1


async def test_a_stream_runs_on_while_its_budget_does() -> None:
    """More is reserved when what was reserved is used up; when there is no more the exchange is stopped."""
    metering, _, clock = made(tokens_per_day=400, bytes_per_token=1)
    one = exchange()
    told = Told(0)
    stopped = asyncio.get_running_loop().create_future()

    async def relay(what: Asked) -> None:
        assert what.tells_usage
        one.attempts, one.status, one.watch = 1, 200, told
        (overrun,) = metering._deadlines._timed
        for tokens in (50, 150, 250, 350, 450):
            told.tokens = tokens
            overrun.check(clock.now())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if one.stopped_by is not None:
                stopped.set_result(tokens)
                return

    await run(metering, one, relay, stream=True)
    assert isinstance(one.stopped_by, BudgetSpent)
    assert stopped.result() in {350, 450}
    assert len(metering._deadlines) == 0
    await metering.close()


@pytest.mark.parametrize(
    ("change", "has_failed", "tokens"),
    [
        ({"usage": Usage(3, 4)}, False, 7),
        ({"usage": Usage(3, 4)}, True, 7),
        ({"watch": Told(5)}, True, 15),
        ({"watch": Told(5, has_data=False)}, True, 0),
        ({"watch": Told(5, has_data=False)}, False, 30),
        ({"attempts": 0}, False, 0),
        ({"status": 400}, False, 0),
        ({}, True, 0),
        ({}, False, 30),
    ],
)
def test_what_the_replica_said_counts(change: dict[str, object], has_failed: bool, tokens: int) -> None:
    """Its usage first, then what its stream had come to, then the prompt; nothing for what was not delivered."""
    one = replace(exchange(), **{"attempts": 1, "status": 200, **change})  # type: ignore[arg-type] # fields of its own
    assert used_tokens(one, CASE, has_failed=has_failed) == tokens
