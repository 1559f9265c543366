"""Who runs and when."""

import asyncio
from typing import Any

import pytest

from tests.waiting import until
from vllm_gateway.clock import SystemClock
from vllm_gateway.sim.engine.generation import Generation, Wish
from vllm_gateway.sim.engine.meters import Meters
from vllm_gateway.sim.engine.model import Model
from vllm_gateway.sim.engine.scheduler import QueueFull, Scheduler

MODEL = Model("m")


class Ear:
    """Remembers what it heard, and when."""

    def __init__(self) -> None:
        self.tokens: list[int | None] = []
        self.text = ""
        self.at: list[float] = []
        self.reason: str | None = None

    def heard(self, generation: Generation, token: int | None, text: str) -> None:
        """Note it."""
        self.tokens.append(token)
        self.text += text
        self.at.append(asyncio.get_running_loop().time())
        self.reason = generation.finish_reason


def scheduler(**settings: Any) -> Scheduler:  # noqa: ANN401 - any setting
    """Return a scheduler that takes no time unless told to."""
    chosen = {"slots": 4, "most": None, "kv_blocks": 100, "ttft_s": 0.0, "ttft_per_token_s": 0.0, "itl_s": 0.0}
    return Scheduler(SystemClock(), Meters(), **(chosen | settings))


def wanted(ear: Ear, count: int = 5, size: int = 20, **wish: Any) -> Generation:  # noqa: ANN401 - any wish
    """Return a generation of so many tokens for a prompt of that size."""
    return Generation(MODEL, list(range(1000, 1000 + size)), Wish(max_tokens=count, ignore_eos=True, **wish), ear)


async def test_every_token_is_heard_in_order() -> None:
    """A listener hears all tokens, and the reason with the last."""
    ear, engine = Ear(), scheduler()
    generation = wanted(ear)
    engine.submit(generation)
    await until(lambda: ear.reason is not None)
    assert ear.tokens == generation.ids
    assert ear.text == generation.text
    assert ear.reason == "length"
    assert not engine.running
    assert engine.kv.usage == 0


async def test_tokens_take_their_time() -> None:
    """The first token comes after the first time, each other after the time between tokens."""
    ear, engine = Ear(), scheduler(ttft_s=0.03, itl_s=0.01)
    began = asyncio.get_running_loop().time()
    engine.submit(wanted(ear, 4))
    await until(lambda: ear.reason is not None)
    assert ear.at[0] - began >= 0.029
    assert ear.at[3] - ear.at[0] >= 0.028


async def test_the_time_to_the_first_token_grows_with_what_is_not_cached() -> None:
    """A prompt that is cached is quick, a new one takes longer, the longer it is."""
    engine = scheduler(ttft_per_token_s=0.0005)
    took = []
    for _ in range(6):
        ear, began = Ear(), asyncio.get_running_loop().time()
        engine.submit(wanted(ear, 1, size=160))
        await until(lambda: ear.reason is not None)  # noqa: B023 - waited for at once
        took.append(ear.at[0] - began)
    assert took[0] >= 0.079
    assert min(took[1:]) < 0.04


async def test_prompts_are_computed_one_after_the_other() -> None:
    """Two long prompts at once: the second waits for the first."""
    ears, engine = [Ear(), Ear()], scheduler(ttft_per_token_s=0.0005)
    began = asyncio.get_running_loop().time()
    for at, ear in enumerate(ears):
        engine.submit(Generation(MODEL, [2000 + at] * 100, Wish(max_tokens=1), ear))
    await until(lambda: all(ear.reason for ear in ears))
    assert ears[1].at[0] - began >= 0.099


async def test_those_without_a_slot_wait_in_line() -> None:
    """With one slot, generations run one after the other in the order they came."""
    ears, engine = [Ear() for _ in range(3)], scheduler(slots=1, itl_s=0.001)
    for ear in ears:
        engine.submit(wanted(ear))
    assert (len(engine.running), len(engine.waiting)) == (1, 2)
    await until(lambda: all(ear.reason for ear in ears))
    assert ears[0].at[-1] <= ears[1].at[0]
    assert ears[1].at[-1] <= ears[2].at[0]
    assert engine.most_running == 1


async def test_more_than_the_limit_is_refused() -> None:
    """What runs counts like what waits, and n choices count n times."""
    engine = scheduler(most=3, slots=1, itl_s=0.001)
    engine.submit(wanted(Ear()))
    engine.submit(wanted(Ear()))
    engine.admit(1)
    with pytest.raises(QueueFull):
        engine.admit(2)
    engine.close()


async def test_cancelling_frees_slot_and_blocks_at_once() -> None:
    """The next in line begins, and the one that was cancelled is never heard of again."""
    first, second, engine = Ear(), Ear(), scheduler(slots=1, itl_s=0.001)
    cancelled = wanted(first, 500)
    engine.submit(cancelled)
    engine.submit(wanted(second))
    await until(lambda: len(first.tokens) > 2)
    engine.cancel(cancelled)
    heard = len(first.tokens)
    await until(lambda: second.reason is not None)
    assert len(first.tokens) == heard
    assert engine.kv.usage == 0


async def test_who_waits_can_be_cancelled() -> None:
    """The line closes up."""
    ear, engine = Ear(), scheduler(slots=1, itl_s=0.01)
    engine.submit(wanted(Ear(), 50))
    waiting = wanted(ear)
    engine.submit(waiting)
    engine.cancel(waiting)
    engine.cancel(waiting)
    assert not engine.waiting
    engine.close()
    assert not engine.running


async def test_a_wedged_engine_makes_nothing_and_looks_alive() -> None:
    """What runs keeps its slot and gets no token, until the wedge is taken out."""
    ears, engine = [Ear(), Ear()], scheduler(itl_s=0.001)
    engine.submit(wanted(ears[0], 30))
    await until(lambda: len(ears[0].tokens) > 2)
    engine.wedge(is_wedged=True)
    engine.submit(wanted(ears[1], 5))
    heard = len(ears[0].tokens)
    await asyncio.sleep(0.03)
    assert (len(ears[0].tokens), ears[1].tokens, len(engine.running)) == (heard, [], 2)
    engine.wedge(is_wedged=False)
    await until(lambda: all(ear.reason for ear in ears))


async def test_a_full_cache_sends_the_latest_back_to_the_line() -> None:
    """When blocks run out, who came last waits, and then goes on exactly where it was."""
    ears, engine = [Ear(), Ear()], scheduler(kv_blocks=10, itl_s=0.0005)
    generations = [wanted(ear, 100, size=20 + at) for at, ear in enumerate(ears)]
    for generation in generations:
        engine.submit(generation)
    await until(lambda: all(ear.reason for ear in ears))
    assert ears[0].at[-1] < ears[1].at[-1]
    alone = wanted(Ear(), 100, size=21)
    while alone.finish_reason is None:
        alone.step()
    assert generations[1].ids == alone.ids
    assert engine._meters.preemptions > 0


async def test_what_is_read_at_its_end_is_made_in_one_go() -> None:
    """Where tokens take no time and nobody reads along, an answer does not take a turn of the loop for each."""
    ear, engine = Ear(), scheduler()
    engine.submit(wanted(ear, 60, in_one_piece=True))
    turns = 0
    while ear.reason is None:
        await asyncio.sleep(0)
        turns += 1
    assert turns < 10


async def test_a_sleeping_engine_aborts_what_runs_and_starts_nothing() -> None:
    """The reason is `abort`; what comes in the meantime waits until it wakes up."""
    ears, engine = [Ear(), Ear()], scheduler(itl_s=0.001)
    engine.submit(wanted(ears[0], 500))
    await until(lambda: len(ears[0].tokens) > 2)
    engine.sleep(1)
    assert (ears[0].reason, ears[0].tokens[-1]) == ("abort", None)
    engine.submit(wanted(ears[1]))
    await asyncio.sleep(0.02)
    assert ears[1].tokens == []
    engine.wake_up()
    await until(lambda: ears[1].reason == "length")
