"""What every limiter promises, in memory and in Redis."""

import asyncio
import math

import pytest

from tests.admission.limits.wishes import budget, left_of, per_minute, per_second, slots, tokens
from vllm_gateway.admission.limits.limiter import AwaitedLimiter
from vllm_gateway.admission.limits.meters import Meter

SLOW = 60
"""Tokens per minute that come back so slowly that a test does not see it."""


async def test_all_or_nothing(limiter: AwaitedLimiter) -> None:
    """A request that one meter refuses takes nothing of the others."""
    await limiter.reserve("first", [slots(1)])
    refused = await limiter.reserve("second", [per_minute(5), slots(1)])
    assert (refused.refused_by, left_of(refused)) == (1, [5, 0])
    assert left_of(await limiter.reserve("third", [per_minute(5)])) == [4]


async def test_the_longest_wait_is_told(limiter: AwaitedLimiter) -> None:
    """Whoever comes back then is not refused by the other meter."""
    both = [per_second(1), per_minute(1)]
    assert (await limiter.reserve("first", both)).is_admitted
    refused = await limiter.reserve("second", both)
    assert refused.refused_by == 1
    assert refused.retry_after_s == pytest.approx(60, abs=1)


async def test_a_rate_comes_back(limiter: AwaitedLimiter) -> None:
    """After the wait that was told the request fits."""
    for number in range(10):
        assert (await limiter.reserve(f"r{number}", [per_second(10)])).is_admitted
    refused = await limiter.reserve("too much", [per_second(10)])
    assert not refused.is_admitted
    await asyncio.sleep(refused.retry_after_s + 0.005)  # the loop's timers may be a little early
    assert (await limiter.reserve("later", [per_second(10)])).is_admitted


async def test_what_was_not_used_comes_back(limiter: AwaitedLimiter) -> None:
    """Rates and budgets are charged what was used."""
    meters = [tokens(SLOW), budget(100)]
    await limiter.reserve("r", meters, 50)
    await limiter.settle("r", meters, 20, is_charged=True)
    assert left_of(await limiter.reserve("next", [tokens(SLOW), budget(100)], 1)) == [39, 79]


async def test_what_was_used_beyond_is_charged(limiter: AwaitedLimiter) -> None:
    """What is left is never negative; whoever comes next waits longer."""
    meters = [tokens(SLOW), budget(100)]
    await limiter.reserve("r", meters, 50)
    await limiter.settle("r", meters, 150, is_charged=True)
    refused = await limiter.reserve("next", [tokens(SLOW)], 1)
    assert left_of(refused) == [0]
    assert refused.retry_after_s == pytest.approx(91, abs=1)
    assert left_of(await limiter.reserve("of the day", [budget(100)], 1)) == [0]


async def test_unknown_use_is_what_was_reserved(limiter: AwaitedLimiter) -> None:
    """Nothing is given back for an answer that told nothing."""
    await limiter.reserve("r", [budget(100)], 50)
    await limiter.settle("r", [budget(100)], None, is_charged=True)
    assert left_of(await limiter.reserve("next", [budget(100)], 1)) == [49]


async def test_a_request_that_is_not_charged_cost_nothing(limiter: AwaitedLimiter) -> None:
    """The request itself comes back too."""
    meters = [per_minute(5), tokens(SLOW), budget(100), slots(1)]
    await limiter.reserve("r", meters, 50)
    await limiter.settle("r", meters, None, is_charged=False)
    fresh = [per_minute(5), tokens(SLOW), budget(100), slots(1)]
    assert left_of(await limiter.reserve("next", fresh, 1)) == [4, 59, 99, 0]


async def test_a_second_settlement_changes_nothing(limiter: AwaitedLimiter) -> None:
    """Neither what is used, nor the slot that somebody else has by now."""
    meters = [budget(100), slots(1)]
    await limiter.reserve("r", meters, 50)
    await limiter.settle("r", meters, 20, is_charged=True)
    await limiter.reserve("other", [slots(1)])
    await limiter.settle("r", meters, 0, is_charged=False)
    assert left_of(await limiter.reserve("next", [budget(100)], 1)) == [79]
    assert not (await limiter.reserve("third", [slots(1)])).is_admitted


async def test_a_request_that_was_refused_has_nothing_to_settle(limiter: AwaitedLimiter) -> None:
    """It gives nobody more."""
    await limiter.reserve("r", [budget(100)], 90)
    await limiter.reserve("refused", [budget(100)], 90)
    await limiter.settle("refused", [budget(100)], 0, is_charged=False)
    assert left_of(await limiter.reserve("next", [budget(100)], 1)) == [9]


async def test_slots_are_for_those_under_way(limiter: AwaitedLimiter) -> None:
    """L-06: no more than the limit at once, and a slot is free as soon as its request is settled."""
    for number in range(4):
        assert (await limiter.reserve(f"r{number}", [slots(4)])).is_admitted
    assert not (await limiter.reserve("fifth", [slots(4)])).is_admitted
    await limiter.settle("r2", [slots(4)], None, is_charged=True)
    assert (await limiter.reserve("sixth", [slots(4)])).is_admitted


async def test_a_longer_answer_takes_more_of_the_budget(limiter: AwaitedLimiter) -> None:
    """As long as there is some; what it took counts as reserved."""
    meters = [budget(100), tokens(SLOW)]
    await limiter.reserve("r", meters, 50)
    assert await limiter.extend("r", meters, 40)
    assert not await limiter.extend("r", meters, 40)
    await limiter.settle("r", meters, 60, is_charged=True)
    assert left_of(await limiter.reserve("next", [budget(100)], 1)) == [39]


async def test_a_rate_ends_no_answer(limiter: AwaitedLimiter) -> None:
    """More than it has is taken all the same, and waited for by others."""
    await limiter.reserve("r", [tokens(SLOW)], 50)
    assert await limiter.extend("r", [tokens(SLOW)], 40)
    assert (await limiter.reserve("next", [tokens(SLOW)], 1)).retry_after_s == pytest.approx(31, abs=1)


async def test_a_request_that_is_not_open_is_not_extended(limiter: AwaitedLimiter) -> None:
    """Nothing is charged for it."""
    assert await limiter.extend("gone", [budget(100)], 40)
    assert left_of(await limiter.reserve("next", [budget(100)], 1)) == [99]


@pytest.mark.parametrize("meter", [tokens(100), budget(100)])
async def test_what_never_fits_waits_for_ever(limiter: AwaitedLimiter, meter: Meter) -> None:
    """No time is told after which it would."""
    reserved = await limiter.reserve("r", [meter], 101)
    assert math.isinf(reserved.retry_after_s)


async def test_scopes_and_windows_are_counted_apart(limiter: AwaitedLimiter) -> None:
    """What one uses is not missing for another."""
    await limiter.reserve("r", [per_minute(2, "key:a"), per_second(2, "key:a")])
    assert left_of(await limiter.reserve("s", [per_minute(2, "key:b"), per_second(2, "key:c")])) == [1, 1]


async def test_a_billion_tokens_are_counted_exactly(limiter: AwaitedLimiter) -> None:
    """One token of so many is not lost to rounding."""
    await limiter.reserve("all", [budget(1_000_000_000)], 999_999_999)
    assert left_of(await limiter.reserve("one", [budget(1_000_000_000)], 1)) == [0]
    assert not (await limiter.reserve("more", [budget(1_000_000_000)], 1)).is_admitted
