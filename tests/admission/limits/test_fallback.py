"""Limits while Redis is away, and when it comes back."""

import asyncio
import statistics
import time

import pytest

from tests.admission.limits.redis_process import RedisProcess
from tests.admission.limits.wishes import budget, left_of, per_minute, slots, tokens
from tests.waiting import until
from vllm_gateway.admission.limits.fallback import ANNOUNCE_S, ERRORS_IN_A_ROW, FallbackLimiter
from vllm_gateway.admission.limits.memory import MemoryLimiter
from vllm_gateway.admission.limits.redis import LIMIT_S, RedisLimiter
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import BudgetUnchecked

NOBODY = "redis://127.0.0.1:1/0"
BACK_S = 30.0


async def _opened(url: str) -> FallbackLimiter:
    limiter = FallbackLimiter(RedisLimiter(url), MemoryLimiter(SystemClock()))
    await limiter.open()
    return limiter


async def test_rates_and_slots_are_counted_locally() -> None:
    """F-09: from the first request on, from beginning to end."""
    limiter = await _opened(NOBODY)
    meters = [per_minute(2), slots(1)]
    assert left_of(await limiter.reserve("a", meters)) == [1, 0]
    assert not (await limiter.reserve("b", meters)).is_admitted
    await limiter.settle("a", meters, None, is_charged=True)
    assert left_of(await limiter.reserve("c", meters)) == [0, 0]
    assert limiter.counters["fail_open"] == 3
    assert limiter.counters["redis_errors"] >= 3
    await limiter.close()


async def test_what_fails_many_together_is_one_error_in_a_row() -> None:
    """A connection that breaks once has all who went there together fail, and is no reason to ask no more."""
    limiter = FallbackLimiter(RedisLimiter(NOBODY), MemoryLimiter(SystemClock()))
    together = [limiter.reserve(f"t{number}", [per_minute(100)]) for number in range(2 * ERRORS_IN_A_ROW)]
    await asyncio.gather(*together)
    for number in range(ERRORS_IN_A_ROW):
        await limiter.reserve(f"a{number}", [per_minute(100)])
    assert limiter.counters["redis_errors"] == 3 * ERRORS_IN_A_ROW - 1
    await limiter.close()


async def test_nothing_is_counted_at_once() -> None:
    """All gateways count together, so somebody has to be asked."""
    limiter = FallbackLimiter(RedisLimiter(NOBODY), MemoryLimiter(SystemClock()))
    assert limiter.reserve_now("a", [slots(1)], 0) is None  # type: ignore[func-returns-value]  # that is the point
    assert not limiter.settle_now("a", [slots(1)], None, is_charged=True)
    await limiter.close()


async def test_a_request_takes_no_more_than_a_share_of_tokens() -> None:
    """Nor of the shares of several limits; what is larger than a whole limit is larger than its share."""
    limiter = FallbackLimiter(RedisLimiter(NOBODY), MemoryLimiter(SystemClock()), gateways=2)
    meters = [tokens(1000), tokens(400, "model:m")]
    assert left_of(await limiter.reserve("a", meters, 300)) == [300, 0]
    assert (await limiter.reserve("b", meters, 401)).refused_by == 1
    await limiter.close()


async def test_budgets_let_nobody_in() -> None:
    """F-09: nothing is spent unchecked."""
    limiter = await _opened(NOBODY)
    with pytest.raises(BudgetUnchecked):
        await limiter.reserve("a", [per_minute(2), budget(100)], 1)
    assert limiter.counters["fail_closed"] == 1
    await limiter.close()


async def test_each_gateway_has_its_share() -> None:
    """At least one of everything; and what is larger than a share, but not than the whole, takes all of it."""
    limiter = await _opened(NOBODY)
    limiter._gateways = 3
    assert left_of(await limiter.reserve("a", [per_minute(9), slots(2), tokens(900)], 400)) == [2, 0, 0]
    assert (await limiter.reserve("b", [tokens(900, "key:b")], 901)).refused_by == 0
    await limiter.close()


async def test_workers_share_before_redis_has_told_of_any() -> None:
    """A process that never met Redis knows of those that were started with it."""
    limiter = FallbackLimiter(RedisLimiter(NOBODY), MemoryLimiter(SystemClock()), gateways=3)
    assert left_of(await limiter.reserve("a", [per_minute(9)])) == [2]
    await limiter.close()


@pytest.mark.servers
async def test_gateways_know_of_each_other_before_the_first_request(redis_process: RedisProcess) -> None:
    """So that the shares are right when Redis goes at the first one."""
    limiters = [await _opened(redis_process.url) for _ in range(3)]
    await until(lambda: limiters[0]._gateways == 3, within_s=20)
    redis_process.kill()
    assert left_of(await limiters[0].reserve("a", [per_minute(9)])) == [2]
    for limiter in limiters:
        await limiter.close()


async def test_an_absent_redis_is_not_asked_again_and_again() -> None:
    """After some errors only the gateway's own announcement asks it."""
    limiter = await _opened(NOBODY)
    for number in range(50):
        await limiter.reserve(str(number), [per_minute(100)])
    assert ERRORS_IN_A_ROW <= limiter.counters["redis_errors"] <= ERRORS_IN_A_ROW + 2
    await limiter.close()


@pytest.mark.servers
@pytest.mark.parametrize("how", ["paused", "killed"])
async def test_redis_goes_and_comes_back(redis_process: RedisProcess, how: str) -> None:
    """F-09: no request waits for longer than the limit, soon none waits at all, and then all count together again."""
    limiter = await _opened(redis_process.url)
    meters = [per_minute(1000), slots(1000)]
    assert (await limiter.reserve("before", meters)).is_admitted
    (redis_process.pause if how == "paused" else redis_process.kill)()
    waits = [await _wait(limiter, number) for number in range(50)]
    assert statistics.median(waits) < LIMIT_S  # only the first few wait at all
    assert limiter.counters["redis_errors"] <= ERRORS_IN_A_ROW + 1 + sum(waits) / ANNOUNCE_S
    await limiter.settle("before", meters, None, is_charged=True)
    assert limiter.counters["unsettled"] == 1
    assert limiter._shared._leases == {}  # type: ignore[attr-defined]  # of the one in Redis
    (redis_process.resume if how == "paused" else redis_process.start)()
    async with asyncio.timeout(BACK_S):
        while limiter._is_away:  # noqa: ASYNC110 - there is no event for that
            await asyncio.sleep(0.02)
    errors = limiter.counters["redis_errors"]
    assert (await limiter.reserve("after", [budget(100)], 1)).is_admitted
    assert limiter.counters["redis_errors"] == errors
    await limiter.close()


@pytest.mark.servers
async def test_what_began_locally_ends_locally(redis_process: RedisProcess) -> None:
    """Though Redis is back by then."""
    limiter = await _opened(redis_process.url)
    redis_process.kill()
    for number in range(ERRORS_IN_A_ROW):
        await limiter.reserve(str(number), [slots(ERRORS_IN_A_ROW)])
    redis_process.start()
    async with asyncio.timeout(BACK_S):
        while limiter._is_away:  # noqa: ASYNC110 - there is no event for that
            await asyncio.sleep(0.02)
    for number in range(ERRORS_IN_A_ROW):
        await limiter.settle(str(number), [slots(ERRORS_IN_A_ROW)], None, is_charged=True)
    assert limiter._local == {}
    assert (await limiter._own.reserve("next", [slots(1)])).is_admitted
    await limiter.close()


async def _wait(limiter: FallbackLimiter, number: int) -> float:
    started = time.perf_counter()
    assert (await limiter.reserve(f"during {number}", [per_minute(1000)])).is_admitted
    return time.perf_counter() - started
