"""The scheduler under pressure: preempted, cancelled and waiting generations, and exact times."""

import asyncio
from typing import Any, cast

from tests.waiting import until
from vllm_gateway.clock import HandClock, SystemClock
from vllm_gateway.sim.engine.generation import Generation, Wish
from vllm_gateway.sim.engine.meters import Meters
from vllm_gateway.sim.engine.model import Model
from vllm_gateway.sim.engine.scheduler import Scheduler

MODEL = Model("m")


class Ear:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.tokens: list[int | None] = []
        self.reason: str | None = None
        self.cached: set[int] = set()

    def heard(self, generation: Generation, token: int | None, text: str) -> None:  # noqa: ARG002 - not looked at
        """Note it."""
        self.tokens.append(token)
        self.reason = generation.finish_reason
        self.cached.add(generation.cached_tokens)


def scheduler(clock: Any = None, **settings: Any) -> Scheduler:  # noqa: ANN401 - any setting
    """Return a scheduler that takes no time unless told to."""
    chosen = {"slots": 4, "most": None, "kv_blocks": 100, "ttft_s": 0.0, "ttft_per_token_s": 0.0, "itl_s": 0.0}
    return Scheduler(clock or SystemClock(), Meters(), **(chosen | settings))


def wanted(ear: Ear, count: int, size: int, first: int = 1000) -> Generation:
    """Return a generation of so many tokens for a prompt of that size."""
    return Generation(MODEL, list(range(first, first + size)), Wish(max_tokens=count, ignore_eos=True), ear)


async def test_a_preempted_one_reports_what_was_cached_when_it_first_ran() -> None:
    """Its own tokens, found again in the cache, do not count as cached prompt."""
    ears, engine = [Ear(), Ear()], scheduler(kv_blocks=10, itl_s=0.0005)
    for at, ear in enumerate(ears):
        engine.submit(wanted(ear, 100, 20 + at, 1000 + 500 * at))
    await until(lambda: all(ear.reason for ear in ears))
    assert engine._meters.preemptions > 0
    assert ears[1].cached == {0}


async def test_a_preempted_one_leaves_its_blocks_under_the_right_names() -> None:
    """Whoever asks for prompt and answer finds them, as if it had never been interrupted."""
    ears, engine = [Ear(), Ear()], scheduler(kv_blocks=10, itl_s=0.0005)
    generations = [wanted(ear, 100, 20 + at, 1000 + 500 * at) for at, ear in enumerate(ears)]
    for generation in generations:
        engine.submit(generation)
    await until(lambda: all(ear.reason for ear in ears))
    assert engine._meters.preemptions > 0
    again = engine.kv.lease([*generations[1].prompt, *generations[1].ids])
    assert again is not None
    # All but the newest of 121 tokens were in the cache: 7 full blocks.
    assert again.cached_tokens == 112


async def test_a_generation_tells_what_was_cached_and_what_it_put_there() -> None:
    """The second reader of a prompt reports the blocks that the first one made."""
    ears, engine = [Ear(), Ear()], scheduler()
    told = []
    for ear in ears:
        generation = wanted(ear, 1, 40)
        engine.submit(generation)
        told.append((generation.cached_tokens, generation.created_tokens))
        engine.cancel(generation)
    assert told == [(0, 32), (32, 0)]


async def test_when_the_head_of_the_line_is_cancelled_those_behind_it_begin() -> None:
    """A large prompt that waits for room holds the line up, and no longer than it is there."""
    engine = scheduler(kv_blocks=10, itl_s=0.005)
    large, small = wanted(Ear(), 5, 150, 2000), wanted(Ear(), 5, 10, 3000)
    for generation in (wanted(Ear(), 40, 64), large, small):
        engine.submit(generation)
    assert list(engine.waiting) == [large, small]
    engine.cancel(large)
    assert small in engine.running
    engine.close()


async def test_cancelling_frees_slot_and_blocks_before_anything_else_happens() -> None:
    """When `cancel` returns, nothing is held and the next in line has the slot."""
    first, second, engine = Ear(), Ear(), scheduler(slots=1, itl_s=0.005)
    running, following = wanted(first, 500, 64), wanted(second, 5, 16, 3000)
    engine.submit(running)
    engine.submit(following)
    await until(lambda: len(first.tokens) > 1)
    engine.cancel(running)
    assert list(engine.running) == [following]
    assert engine.kv.usage == 1 / 100
    engine.cancel(following)
    assert engine.kv.usage == 0


async def test_a_clock_may_begin_at_zero() -> None:
    """A first token is counted once, also when no time has passed since the clock began."""
    ear, engine = Ear(), scheduler(HandClock())
    engine.submit(wanted(ear, 5, 20))
    await until(lambda: ear.reason is not None)
    totals = {histogram.name: sum(histogram.counts) for histogram in engine._meters.histograms()}
    assert engine._meters.prompt_tokens == 20
    assert totals["inter_token_latency_seconds"] == 4
    assert totals["e2e_request_latency_seconds"] == 1


async def test_the_first_token_is_due_after_the_uncached_tokens() -> None:
    """The delay is the base and the time of each prompt token that the cache does not have."""
    clock = HandClock()
    engine = scheduler(clock, ttft_s=1.0, ttft_per_token_s=0.01)
    loop, delays = asyncio.get_running_loop(), []
    for size in (160, 160, 320):
        generation = wanted(Ear(), 1, size)
        engine.submit(generation)
        timer = cast("asyncio.TimerHandle", generation.timer)
        delays.append(round(timer.when() - loop.time(), 1))
        engine.cancel(generation)
        clock.move(10)
    # Of 160 cached ones the last block is computed again.
    assert delays == [2.6, 1.2, 2.6]
