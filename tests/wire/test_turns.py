"""Two models that take turns on one accelerator, under a mixed load."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.gateway import Gateway, gateway
from tests.waiting import until
from tests.wire.sims import asked, fast
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim, start

CHAT = "/v1/chat/completions"


@asynccontextmanager
async def one_accelerator(*, least_awake_s: float) -> AsyncIterator[tuple[list[RunningSim], Gateway]]:
    """Run two sims with a model each, of which the second sleeps, and a gateway that knows that they share."""
    async with AsyncExitStack() as stack:
        sims = []
        for model in ("one", "two"):
            sims.append(await start(fast(models=(model,), embedding_models=(), dev_mode=True, itl_ms=2)))
            stack.push_async_callback(sims[-1].close)
        sims[1].engine.scheduler.sleep(1)
        upstreams = [Upstream(url=sim.url, wake_on_request=True, accelerator="gpu-0") for sim in sims]
        door = await stack.enter_async_context(
            gateway(*upstreams, probe={"every_s": 0.2}, sleeping={"least_awake_s": least_awake_s}, sse_heartbeat_s=0.05)
        )
        yield sims, door


def swaps(sims: list[RunningSim]) -> int:
    """Return how often one was woken."""
    return sum(len(asked_at(sim, "/wake_up")) for sim in sims)


def asked_at(sim: RunningSim, path: str) -> list[str]:
    """Return the requests that reached a path."""
    return [seen.target for seen in sim.log.requests if seen.target == path]


async def ask(door: Gateway, model: str, *, stream: bool) -> None:
    """Ask a model, and be content with a whole answer only."""
    said = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8, "stream": stream}
    answer = await door.http.post(CHAT, json=said)
    assert answer.status_code == 200, answer.text
    if stream:
        assert answer.text.endswith("data: [DONE]\n\n")
        assert '"error"' not in answer.text
    else:
        assert answer.json()["choices"][0]["finish_reason"] == "length"


async def watch(sims: list[RunningSim], seen: list[int]) -> None:
    """Note how many are awake, again and again."""
    while True:
        seen.append(sum(not sim.engine.scheduler.sleep_level for sim in sims))
        await asyncio.sleep(0.001)


async def test_a_mixed_load_is_answered_and_never_are_both_awake() -> None:
    """No answer is cut short by a swap, and there are far fewer swaps than changes of the model."""
    async with one_accelerator(least_awake_s=0.2) as (sims, door):
        seen: list[int] = []
        watching = asyncio.get_running_loop().create_task(watch(sims, seen))

        async def caller(number: int) -> None:
            for turn in range(10):
                await ask(door, ("one", "two")[(number + turn) % 2], stream=turn % 3 > 0)

        await asyncio.gather(*(caller(number) for number in range(8)))
        watching.cancel()
        assert max(seen) == 1
        assert {len(asked(sim)) for sim in sims} == {40}
        assert 1 <= swaps(sims) <= 20


async def test_who_waits_hears_comments() -> None:
    """The model that answers now has its time; a stream for the other one stays open meanwhile."""
    async with one_accelerator(least_awake_s=0.5) as (sims, door):
        await ask(door, "two", stream=False)
        said = {"model": "one", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "stream": True}
        answer = await door.http.post(CHAT, json=said)
        assert answer.text.startswith(": keepalive\n\n")
        assert answer.text.endswith("data: [DONE]\n\n")
        assert swaps(sims) == 2


async def test_a_long_answer_is_not_cut_by_the_other_model() -> None:
    """It is finished before its model sleeps, however long others have waited."""
    async with one_accelerator(least_awake_s=0) as (sims, door):
        said = {"model": "one", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 300, "stream": True}
        long = asyncio.get_running_loop().create_task(door.http.post(CHAT, json={**said, "ignore_eos": True}))
        await until(lambda: bool(sims[0].engine.scheduler.running))
        await ask(door, "two", stream=False)
        answer = await long
        assert '"finish_reason":"length"' in answer.text
        assert answer.text.endswith("data: [DONE]\n\n")
        assert answer.text.count("data: ") > 250


async def test_a_model_that_does_not_sleep_leaves_the_other_one_an_error() -> None:
    """The sentence says why, and nobody hangs."""
    async with one_accelerator(least_awake_s=0) as (sims, door):
        sims[0].faults.add(["status=500/sleep"])
        said = {"model": "two", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
        answer = await door.http.post(CHAT, json=said)
        assert answer.status_code == 502
        assert "holds the accelerator" in answer.json()["error"]["message"]
        await ask(door, "one", stream=True)
