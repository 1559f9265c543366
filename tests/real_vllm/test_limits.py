"""Tokens are counted as a real vLLM counts them, and what is asked of it is what it takes."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.real_vllm.asked import CHAT, chat, questions, read_events, told
from tests.real_vllm.fleet import Fleet, Server, gateway

TOKENS_PER_DAY = 1_000_000
COMPLETIONS = "/v1/completions"


@pytest.fixture(scope="module")
def metered(replicas: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a gateway that counts every token, and never runs out."""
    settings = {"limits": {"tokens_per_day": TOKENS_PER_DAY, "bytes_per_token": 1}, "isolate_prefix_cache": True}
    log = tmp_path_factory.mktemp("metered") / "gateway.log"
    with gateway(log, replicas.first, settings=settings) as running:
        yield running


@dataclass(frozen=True)
class Look:
    """What was spent before somebody looked, and what looking cost."""

    spent: int
    cost: int


async def look(http: httpx2.AsyncClient, metered: Server) -> Look:
    """Return the tokens spent so far."""
    reply = await http.post(metered.url + CHAT, json=chat(max_tokens=1))
    assert reply.status_code == 200
    reserved = len(reply.request.content) + 1
    left = int(reply.headers["x-ratelimit-remaining-tokens"])
    return Look(TOKENS_PER_DAY - left - reserved, _total(reply.content))


async def billed_since(http: httpx2.AsyncClient, metered: Server, before: Look) -> int:
    """Return the tokens spent since somebody looked."""
    return (await look(http, metered)).spent - before.spent - before.cost


async def test_a_metered_stream_is_the_stream(http: httpx2.AsyncClient, metered: Server, replicas: Fleet) -> None:
    """Over 20 questions the caller gets what an unmetered caller gets, and of the usage only what it asked for."""
    for question in questions(20):
        body = chat(question, max_tokens=24, stream=True, stream_options={"include_usage": True})
        own, direct = [await read_events(http, url + CHAT, body) for url in (metered.url, replicas.first.url)]
        assert told(own) == told(direct)
        assert [b'"usage"' in event for event in own] == [False] * (len(own) - 2) + [True, False]
        silent = await read_events(http, metered.url + CHAT, chat(question, max_tokens=4, stream=True))
        assert not any(b'"usage"' in event for event in silent)


async def test_what_is_spent_is_what_was_used(http: httpx2.AsyncClient, metered: Server) -> None:
    """Answers in one piece and streams, one choice and several: the sum is vLLM's own usage, to the token."""
    before, used = await look(http, metered), 0
    for number, question in enumerate(questions(12)):
        body = {**chat(question, max_tokens=9), "temperature": 1, "n": 1 + number % 3, "seed": number}
        if number % 2:
            streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
            events = await read_events(http, metered.url + CHAT, streamed)
            used += _total(events[-2])
        else:
            reply = await http.post(metered.url + CHAT, json=body)
            used += _total(reply.content)
    assert await billed_since(http, metered, before) == used


def _total(body: bytes) -> int:
    return int(body.partition(b'"total_tokens":')[2].partition(b",")[0])


async def test_a_stream_that_is_left_is_billed(http: httpx2.AsyncClient, metered: Server) -> None:
    """Eight callers leave after ten events each: what they saw is billed, and little more."""
    before = await look(http, metered)

    async def leave(question: str) -> None:
        body = chat(question, max_tokens=2000, stream=True, ignore_eos=True)
        async with http.stream("POST", metered.url + CHAT, json=body) as response:
            seen = b""
            async for data in response.aiter_raw():
                seen += data
                if seen.count(b"data: ") > 10:
                    return

    await asyncio.gather(*map(leave, questions(8)))
    await asyncio.sleep(0.5)
    billed = await billed_since(http, metered, before)
    assert 8 * 10 < billed < 8 * 500


async def test_vllm_takes_what_the_gateway_sets(http: httpx2.AsyncClient, metered: Server) -> None:
    """A `cache_salt` of the gateway's own is accepted on every route that gets one, and the cache still works."""
    question = "A prompt that is long enough to fill several blocks of the cache. " * 8
    replies = [await http.post(metered.url + CHAT, json=chat(question, max_tokens=2)) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[1].json()["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
    body = {"model": "tiny-llama", "prompt": question, "max_tokens": 2}
    assert (await http.post(metered.url + COMPLETIONS, json=body)).status_code == 200
    said = {"model": "tiny-llama", "input": question, "max_output_tokens": 2}
    assert (await http.post(f"{metered.url}/v1/responses", json=said)).status_code == 200
