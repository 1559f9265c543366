"""The canned replica, on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from benchmarks import canned
from benchmarks.replica import Connection, Pace
from tests.waiting import PATIENCE_S, until
from vllm_gateway import codec
from vllm_gateway.clock import SystemClock

CHAT = "/v1/chat/completions"


@asynccontextmanager
async def running() -> AsyncIterator[tuple[httpx2.AsyncClient, Pace]]:
    """Run the replica in this loop, with a client for it."""
    loop = asyncio.get_running_loop()
    pace = Pace(loop)
    server = await loop.create_server(lambda: Connection(pace), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, trust_env=False) as http:
        yield http, pace
    server.close()


async def test_an_answer_in_one_piece() -> None:
    """A request without `stream` gets the completion, again and again on one connection."""
    async with running() as (http, _):
        for _ in range(3):
            answer = await http.post(CHAT, json={"model": "m", "messages": []})
            assert (answer.status_code, answer.content) == (200, canned.completion())


@pytest.mark.parametrize("gap_ms", [0, 2])
async def test_a_stream_has_as_many_tokens_as_asked_for(gap_ms: int) -> None:
    """Role, tokens, the finish reason in the last of them, and the end, whatever the pace."""
    events = canned.events()
    async with running() as (http, _):
        answer = await http.post(CHAT, json={"stream": True, "max_tokens": 4, "seed": gap_ms})
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.content == events.role + 3 * events.token + events.last + events.done


async def test_the_usage_comes_when_it_is_asked_for() -> None:
    """With `include_usage` the usage event comes before the end."""
    events = canned.events()
    asked = {"stream": True, "max_tokens": 1, "stream_options": {"include_usage": True}}
    async with running() as (http, _):
        answer = await http.post(CHAT, content=codec.dumps(asked))
        assert answer.content == events.role + events.last + canned.usage(1) + events.done


async def test_the_usage_comes_on_the_way_when_it_is_asked_for() -> None:
    """With `continuous_usage_stats` every event tells how far the answer has come."""
    first, second = canned.counted(1), canned.counted(2)
    asked = {"include_usage": True, "continuous_usage_stats": True}
    async with running() as (http, _):
        answer = await http.post(CHAT, json={"stream": True, "max_tokens": 2, "stream_options": asked})
        assert answer.content == b"".join((first.role, first.token, second.last, canned.usage(2), first.done))


async def test_a_pace_is_kept() -> None:
    """Ten tokens 10 ms apart take a tenth of a second, however many streams run."""
    asked = {"stream": True, "max_tokens": 10, "seed": 10}
    async with running() as (http, _):
        begun = SystemClock.now()
        answers = await asyncio.gather(*(http.post(CHAT, json=asked) for _ in range(5)))
        assert SystemClock.now() - begun >= 0.09
        assert {answer.content.count(b"\n\n") for answer in answers} == {12}


async def test_a_stream_that_is_left_is_forgotten() -> None:
    """When the caller leaves, nothing more is written, and the timer stops."""
    async with running() as (http, pace):
        async with http.stream("POST", CHAT, json={"stream": True, "max_tokens": 10_000, "seed": 2}) as answer:
            await anext(answer.aiter_bytes())
            assert not pace.is_idle
        await until(lambda: pace.is_idle)


async def test_it_looks_like_a_replica_to_the_gateway() -> None:
    """It is healthy, lists its model, and knows no other path."""
    async with running() as (http, _):
        assert (await http.get("/health")).status_code == 200
        assert (await http.get("/v1/models")).content == canned.models()
        assert (await http.get("/v1/nothing")).status_code == 404
