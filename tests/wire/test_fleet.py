"""Several replicas behind one gateway, asked by the real client library, on the embedded engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import openai
import pytest

from tests.gateway import Gateway, gateway
from tests.waiting import until
from tests.wire.sims import last_seen
from vllm_gateway.outcomes import Outcome
from vllm_gateway.sim import RunningSim, SimSettings, start

MODEL = "sim-small"


@asynccontextmanager
async def fleet(
    *settings: SimSettings, every_s: float = 0.2
) -> AsyncIterator[tuple[list[RunningSim], Gateway, openai.AsyncOpenAI]]:
    """Run a sim for each of these settings, a gateway before them, and a client before that."""
    async with AsyncExitStack() as stack:
        sims = []
        for each in settings:
            sim = await start(each)
            stack.push_async_callback(sim.close)
            sims.append(sim)
        door = await stack.enter_async_context(gateway(*(sim.url for sim in sims), probe={"every_s": every_s}))
        client = openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="none", max_retries=0)
        yield sims, door, await stack.enter_async_context(client)


def fast(**changes: object) -> SimSettings:
    """Return the settings of a replica that answers quickly."""
    return SimSettings(**{"ttft_ms": 5, "ttft_ms_per_1k": 0, "itl_ms": 1, **changes})  # type: ignore[arg-type] # any setting


async def told(client: openai.AsyncOpenAI, question: str, *, tokens: int = 24) -> str:
    """Ask in a stream and return the whole text; it must have come to its proper end."""
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": question}],
        stream=True,
        max_tokens=tokens,
        temperature=0,
        extra_body={"ignore_eos": True},
    )
    text, finished = "", None
    async for chunk in stream:
        text += chunk.choices[0].delta.content or ""
        finished = chunk.choices[0].finish_reason or finished
    assert finished in {"stop", "length"}
    return text


async def test_two_hundred_streams_at_once_are_the_same_as_direct_ones() -> None:
    """No error, no mixed-up answers, and no replica with more than 60 % of the work."""
    questions = [f"Question {number}: what is it about {number % 7}?" for number in range(200)]
    async with fleet(fast(), fast(), every_s=600) as (sims, door, client):
        answers = await asyncio.gather(*(told(client, question) for question in questions))
        shares = [sum(seen.target == "/v1/chat/completions" for seen in sim.log.requests) for sim in sims]
        assert door.parts.ledger.outcomes == {Outcome.OK: 200}
        async with openai.AsyncOpenAI(base_url=f"{sims[0].url}/v1", api_key="none") as direct:
            expected = await asyncio.gather(*(told(direct, question) for question in questions))
    assert answers == expected
    assert sum(shares) == 200
    assert max(shares) <= 120


async def test_models_find_their_replicas() -> None:
    """Each model is answered by a replica that has it, embeddings among them."""
    async with fleet(fast(), fast(models=("other",), embedding_models=())) as (_, _, client):
        for model in (MODEL, "other"):
            reply = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}])
            assert reply.model == model
        vectors = await client.embeddings.create(model="sim-embed", input=["a", "b"])
        assert len(vectors.data) == 2
        with pytest.raises(openai.NotFoundError, match="Available: sim-small, sim-embed, other"):
            await client.chat.completions.create(model="nope", messages=[])


async def test_nobody_notices_a_killed_replica() -> None:
    """F-13: streams on it go on from the other one, word for word, and new requests succeed with one retry at most."""
    questions = [f"Long {number}" for number in range(20)]
    async with fleet(fast(itl_ms=20), fast(itl_ms=20)) as (sims, door, client):
        streams = [asyncio.create_task(told(client, each, tokens=60)) for each in questions]  # noqa: TID251 - the test ends them
        await until(lambda: all(replica.outstanding >= 8 for replica in door.parts.pool.replicas))
        await until(lambda: [seen.tokens > 2 for sim in sims for seen in sim.log.requests if seen.body] == [True] * 20)
        sims[0].stop_listening(cut=True)
        later = await asyncio.gather(*(told(client, f"Later {number}", tokens=5) for number in range(50)))
        ended = await asyncio.gather(*streams)
        assert len(later) == 50
        outcomes = door.parts.ledger.outcomes
        assert 5 <= outcomes[Outcome.OK_RESUMED] <= 15
        assert sum(outcomes.values()) == 70
        assert outcomes.keys() <= {Outcome.OK, Outcome.OK_RETRIED, Outcome.OK_RESUMED}
        assert not door.parts.pool.replicas[0].is_usable
        async with openai.AsyncOpenAI(base_url=f"{sims[1].url}/v1", api_key="none") as direct:
            assert ended == await asyncio.gather(*(told(direct, each, tokens=60) for each in questions))
        await sims[0].listen_again()
        await until(lambda: door.parts.pool.replicas[0].is_usable)


async def test_a_replica_without_the_route_is_not_asked_for_it_again() -> None:
    """501 names the route when nobody offers it; when somebody does, that one answers."""
    async with fleet(fast(embedding_models=())) as (sims, door, client):
        for _ in range(3):
            with pytest.raises(openai.InternalServerError, match="/v1/embeddings") as caught:
                await client.embeddings.create(model=MODEL, input="x")
            assert caught.value.status_code == 501
        assert sum(seen.target == "/v1/embeddings" for seen in sims[0].log.requests) == 1
        assert door.parts.pool.replicas[0].is_usable


@pytest.mark.parametrize(
    "fault", ["reset@5", "eof@5", "cut=event@5", "cut=chunk@5", "cut=char@5", "error@5", "abort@5"]
)
async def test_no_fault_looks_like_a_complete_answer(fault: str) -> None:
    """F-05: whatever breaks after the first tokens, the client library raises."""
    async with fleet(fast(faults=(fault,))) as (_, door, client):
        with pytest.raises(openai.APIError):
            await told(client, "Tell me a long story", tokens=400)  # long enough to have a character of several bytes
        assert door.parts.ledger.outcomes.keys() <= {Outcome.UPSTREAM_TRUNCATED, Outcome.UPSTREAM_ERROR}


async def test_a_caller_who_leaves_stops_the_generation() -> None:
    """The engine makes no tokens for nobody."""
    async with fleet(fast(itl_ms=10)) as (sims, door, client):
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Go on and on"}],
            stream=True,
            max_tokens=2000,
            extra_body={"ignore_eos": True},
        )
        await anext(stream)
        await stream.close()
        await until(lambda: door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 1})
        seen = last_seen(sims[0])
        await until(lambda: seen.gone_at is not None)
        tokens = seen.tokens
        await asyncio.sleep(0.1)
        assert seen.tokens == tokens < 50
