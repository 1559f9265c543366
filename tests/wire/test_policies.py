"""Policies, seen from outside: which replicas a caller's requests reach."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.gateway import Gateway, gateway
from tests.wire.sims import asked, fast, fleet
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim, start

LONG = "All that was said before, in so many words that it fills a block or two of whatever holds it. " * 10


async def say(door: Gateway, *texts: str, session: str | None = None, model: str = "sim-small") -> int:
    """Say something; return how many tokens of it were in a cache."""
    messages = [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(texts)]
    body: dict[str, Any] = {"model": model, "messages": messages, "max_tokens": 2}
    headers = {"x-session-id": session} if session else {}
    reply = await door.http.post("/v1/chat/completions", json=body, headers=headers)
    assert reply.status_code == 200
    return int(reply.json()["usage"]["prompt_tokens_details"]["cached_tokens"])


def reached(sims: list[RunningSim]) -> list[int]:
    """Return how many requests each replica has seen."""
    return [len(asked(sim)) for sim in sims]


async def test_prefix_keeps_a_conversation_without_a_name_together() -> None:
    """Every turn goes where the turn before was, and finds it in the cache."""
    async with fleet(*[fast()] * 3, balance={"policy": "prefix"}) as (sims, door):
        said = [LONG]
        assert await say(door, *said) == 0
        for turn in range(4):
            said += [f"Answer {turn}.", LONG]
            assert await say(door, *said) > 100 * (turn + 1)
        assert sorted(reached(sims)) == [0, 0, 5]


async def test_prefix_spreads_conversations_that_have_nothing_in_common() -> None:
    """An unknown prompt goes by load."""
    async with fleet(*[fast()] * 3, balance={"policy": "prefix"}) as (sims, door):
        for number in range(6):
            await say(door, f"Conversation {number}. " + LONG)
        assert reached(sims) == [2, 2, 2]


@pytest.mark.parametrize("policy", ["least_busy", "round_robin"])
async def test_policies_without_a_memory_take_turns(policy: str) -> None:
    """One request at a time, of the same prompt, reaches all of them."""
    async with fleet(*[fast()] * 3, balance={"policy": policy}) as (sims, door):
        for _ in range(6):
            await say(door, LONG)
        assert reached(sims) == [2, 2, 2]


@pytest.mark.parametrize("policy", ["least_busy", "round_robin", "two_choices", "prefix"])
async def test_a_named_conversation_stays_together(policy: str) -> None:
    """Whatever the policy is, unless affinity is switched off."""
    async with fleet(*[fast()] * 3, balance={"policy": policy}) as (sims, door):
        for number in range(5):
            await say(door, f"Something else, number {number}.", session="mine")
        assert sorted(reached(sims)) == [0, 0, 5]


async def test_without_affinity_names_mean_nothing() -> None:
    """A session header changes nothing then."""
    async with fleet(*[fast()] * 3, balance={"affinity": False}) as (sims, door):
        for _ in range(6):
            await say(door, "Hello.", session="mine")
        assert reached(sims) == [2, 2, 2]


async def test_a_route_may_have_a_policy_of_its_own() -> None:
    """The others keep the one that is set for all."""
    async with AsyncExitStack() as stack:
        sims = [await start(fast(models=(model,))) for model in ("one", "one", "two", "two")]
        for sim in sims:
            stack.push_async_callback(sim.close)
        upstreams = [Upstream(url=sim.url, route=route) for sim, route in zip(sims, "aabb", strict=True)]
        own = {"b": {"policy": "prefix"}}
        door = await stack.enter_async_context(gateway(*upstreams, probe={"every_s": 600}, routes=own))
        for model in ("one", "two"):
            for _ in range(4):
                await say(door, LONG, model=model)
        assert reached(sims)[:2] == [2, 2]
        assert sorted(reached(sims)[2:]) == [0, 4]
