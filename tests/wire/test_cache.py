"""Answers that are given again, as callers see them: which calls reach a replica, and what every reply says."""

import asyncio
import contextlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx2
import openai
import pytest
from pydantic import SecretStr

from tests.admission.limits.redis_process import RedisProcess
from tests.gateway import Gateway
from tests.waiting import until
from tests.wire.sims import asked, fast, fleet
from vllm_gateway import codec
from vllm_gateway.outcomes import Outcome

CHAT = "/v1/chat/completions"
MEMORY = {"backend": "memory"}
HELLO: dict[str, Any] = {
    "model": "sim-small",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 6,
    "temperature": 0,
}
STREAM = {**HELLO, "stream": True}


@pytest.fixture
def redis() -> Iterator[RedisProcess]:
    """Run a server that the test may do with as it likes."""
    server = RedisProcess()
    server.start()
    yield server
    server.close()


async def ask(door: Gateway, path: str = CHAT, headers: dict[str, str] | None = None, **fields: Any) -> httpx2.Response:  # noqa: ANN401 - any field
    """Ask for a short answer."""
    return await door.http.post(path, json={**HELLO, **fields}, headers=headers or {})


def said(events: bytes) -> tuple[str, list[str]]:
    """Return the text of a stream, and why its choices ended."""
    text, ends = "", []
    for line in events.split(b"\n"):
        if line.startswith(b"data: {"):
            for choice in codec.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
                ends += [choice["finish_reason"]] if choice["finish_reason"] else []
    return text, ends


async def test_the_second_answer_asks_nobody() -> None:
    """It is the same to the byte, under a request id of its own, and says that it is a hit and how old."""
    async with fleet(cache=MEMORY) as ((sim,), door):
        replies = [await ask(door, headers={"x-request-id": f"request-{number}"}) for number in range(3)]
        assert len(asked(sim)) == 1
        assert door.parts.ledger.outcomes == {Outcome.OK: 3}
    assert [reply.headers["x-cache"] for reply in replies] == ["miss", "hit", "hit"]
    assert [reply.headers["x-request-id"] for reply in replies] == ["request-0", "request-1", "request-2"]
    assert replies[0].content == replies[1].content == replies[2].content
    assert "age" not in replies[0].headers
    assert int(replies[1].headers["age"]) <= 5


@pytest.mark.parametrize("path", ["/chat", "/api/chat", CHAT])
async def test_one_entry_serves_streams_and_answers_in_one_piece(path: str) -> None:
    """At every route that is a chat underneath, whichever form came first."""
    for first in (False, True):
        async with fleet(cache=MEMORY) as ((sim,), door):
            await ask(door, stream=first)
            piece = await ask(door, path, stream=False)
            stream = await ask(door, path, stream=True)
            assert len(asked(sim)) == 1
            assert [piece.headers["x-cache"], stream.headers["x-cache"]] == ["hit", "hit"]
        choice = piece.json()["choices"][0]
        assert said(stream.content) == (choice["message"]["content"], [choice["finish_reason"]])
        assert stream.content.endswith(b"data: [DONE]\n\n")
        assert piece.json()["usage"]["completion_tokens"] == 6


async def test_clients_of_openai_see_no_difference() -> None:
    """Streams with and without usage, several choices, and answers in one piece, from the cache."""
    question: Any = {**HELLO, "n": 2, "seed": 1, "temperature": 1}
    async with fleet(cache=MEMORY) as ((sim,), door):
        async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="x") as client:
            whole = await client.chat.completions.create(**question)
            stream = await client.chat.completions.create(
                **question, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
            exact = [await client.chat.completions.create(**question, logprobs=True) for _ in "12"]
        assert len(asked(sim)) == 2
    for choice in whole.choices:
        pieces = [each.delta.content for chunk in chunks for each in chunk.choices if each.index == choice.index]
        assert "".join(piece or "" for piece in pieces) == choice.message.content
    assert chunks[-1].usage == whole.usage
    assert exact[0] == exact[1]


async def test_a_hundred_callers_make_one_call() -> None:
    """D-06: streams join the one under way from its first byte, the others wait for its end."""
    async with fleet(fast(ttft_ms=150, itl_ms=5), cache=MEMORY) as ((sim,), door):
        replies = await asyncio.gather(*(ask(door, stream=number % 2 == 0) for number in range(100)))
        assert len(asked(sim)) == 1
        assert door.parts.ledger.outcomes == {Outcome.OK: 100}
    assert sorted({reply.status_code for reply in replies}) == [200]
    streams = {reply.content for reply in replies[::2]}
    texts = {reply.json()["choices"][0]["message"]["content"] for reply in replies[1::2]}
    assert len(streams) == len(texts) == 1
    assert said(streams.pop())[0] == texts.pop()
    assert [reply.headers["x-cache"] for reply in replies].count("miss") == 1


async def test_who_asked_first_may_leave() -> None:
    """The others get the whole answer; with the last one the replica is let go."""
    async with fleet(fast(itl_ms=20), cache=MEMORY) as ((sim,), door):
        body = {**STREAM, "max_tokens": 30, "ignore_eos": True}
        loop = asyncio.get_running_loop()

        async def begin_and_leave() -> None:
            async with door.http.stream("POST", CHAT, json=body):
                await until(lambda: len(door.parts.ledger.live) == 2)

        leaving = loop.create_task(begin_and_leave())
        await until(lambda: len(asked(sim)) == 1)
        staying = loop.create_task(door.http.post(CHAT, json=body))
        await leaving
        whole = await staying
        assert said(whole.content)[1] == ["length"]
        assert len(asked(sim)) == 1
        assert (await door.http.post(CHAT, json={**body, "stream": False})).headers["x-cache"] == "hit"
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await door.http.post(CHAT, json={**body, "max_tokens": 500})
        await until(lambda: not door.parts.pool.replicas[0].outstanding)
        assert len(asked(sim)) == 3


@pytest.mark.parametrize("fault", ["abort@3", "error@3", "eof@3", "status=400"])
async def test_only_whole_answers_are_kept(fault: str) -> None:
    """D-06: an answer that broke off, or a refusal, is not given again."""
    async with fleet(cache=MEMORY) as ((sim,), door):
        sim.faults.add([f"{fault}x1"])
        with contextlib.suppress(httpx2.HTTPError):
            await ask(door, stream=True)
        again = await ask(door, stream=True)
        assert (again.status_code, again.headers["x-cache"]) == (200, "miss")
        assert said(again.content)[1] == ["length"]


async def test_callers_do_not_share() -> None:
    """D-06, S-13: two keys, the same question, two calls."""
    keys = ["ann-0123456789", "bob-0123456789"]
    async with fleet(cache=MEMORY, auth={"mode": "keys", "client_keys": keys}) as ((sim,), door):
        for key in keys:
            headers = {"authorization": f"Bearer {key}"}
            replies = [await ask(door, headers=headers) for _ in range(2)]
            assert [reply.headers["x-cache"] for reply in replies] == ["miss", "hit"]
        assert len(asked(sim)) == 2


async def test_hits_cost_nothing_of_the_limits_unless_they_are_billed() -> None:
    """`cache.bill_hits` counts them as if a replica had answered."""
    for bills, expected in ((False, [200, 200, 200]), (True, [200, 200, 429])):
        cache = {**MEMORY, "bill_hits": bills}
        async with fleet(cache=cache, limits={"requests_per_minute": 2}) as ((sim,), door):
            replies = [await ask(door) for _ in range(3)]
            assert [reply.status_code for reply in replies] == expected
            assert ("x-ratelimit-remaining-requests" in replies[1].headers) is bills
            assert len(asked(sim)) == 1


async def test_billed_hits_count_their_tokens() -> None:
    """As many as the answer had when it was new."""
    cache, limits = {**MEMORY, "bill_hits": True}, {"tokens_per_day": 100_000}
    async with fleet(cache=cache, limits=limits) as (_, door):
        left = [int((await ask(door)).headers["x-ratelimit-remaining-tokens"]) for _ in range(3)]
        tokens = (await ask(door)).json()["usage"]["total_tokens"]
    assert [one - other for one, other in pairwise(left)] == [tokens, tokens]


async def test_embeddings_are_kept_one_by_one() -> None:
    """Ten texts of which seven are known: the replica is asked for three."""
    texts = [f"text number {number}" for number in range(10)]
    async with fleet(cache=MEMORY) as ((sim,), door):
        body = {"model": "sim-embed", "input": texts}
        fresh = (await door.http.post("/v1/embeddings", json=body, headers={"cache-control": "no-store"})).json()
        await door.http.post("/v1/embeddings", json={**body, "input": texts[:7]})
        mixed = (await door.http.post("/v1/embeddings", json=body)).json()
        hit = await door.http.post("/embed", json=body)
        assert [len(each["input"]) for each in asked(sim, "/v1/embeddings")] == [10, 7, 3]
    assert hit.headers["x-cache"] == "hit"
    assert mixed["data"] == fresh["data"] == hit.json()["data"]
    assert mixed["usage"]["prompt_tokens"] == fresh["usage"]["prompt_tokens"]


async def test_a_request_with_a_name_is_answered_once() -> None:
    """Although it is drawn by chance, and nothing else is kept; another body is 422."""
    named = {"idempotency-key": "order-1"}
    async with fleet() as ((sim,), door):
        replies = [await ask(door, headers=named, temperature=1) for _ in range(2)]
        other = await ask(door, headers=named, temperature=0.5)
        plain = await ask(door, temperature=1)
        assert len(asked(sim)) == 2
    assert replies[0].content == replies[1].content
    assert [reply.headers["x-cache"] for reply in replies] == ["miss", "hit"]
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert "x-cache" not in plain.headers


async def test_a_request_with_a_name_is_joined() -> None:
    """Streams and messages too: sent twice at the same time it is asked once."""
    async with fleet(fast(ttft_ms=100)) as ((sim,), door):
        for path in (CHAT, "/v1/messages"):
            body = {**STREAM, "temperature": 1}
            sent = [door.http.post(path, json=body, headers={"idempotency-key": path}) for _ in range(2)]
            one, other = await asyncio.gather(*sent)
            assert one.content == other.content
            assert one.status_code == 200
            assert len(asked(sim, path)) == 1


async def test_conversations_are_not_kept() -> None:
    """A turn changes its session, and says so."""
    async with fleet(cache=MEMORY) as ((sim,), door):
        session = (await door.http.post("/v1/sessions", json={})).json()["id"]
        path = f"/v1/sessions/{session}/chat"
        body = {"message": "Hello", "temperature": 0}
        replies = [await door.http.post(path, json=body) for _ in range(2)]
        assert [reply.headers["x-cache"] for reply in replies] == ["bypass", "bypass"]
        assert len(asked(sim)) == 2


@pytest.mark.servers
async def test_gateways_share_answers_in_redis(redis: RedisProcess) -> None:
    """What one gateway was told another one gives."""
    shared: dict[str, Any] = {"cache": {"backend": "redis"}, "state": {"redis_url": SecretStr(redis.url)}}
    async with fleet(**shared) as (_, one), fleet(**shared) as (_, other):
        await until_hit(one)
        first = (await ask(one, seed=None)).json()["id"]
        await until_hit(other)
        assert (await ask(other, seed=None)).json()["id"] == first


@pytest.mark.servers
async def test_a_redis_that_is_away_is_passed_over(redis: RedisProcess) -> None:
    """F-09: no error, no wait to speak of, and it is used again when it is back."""
    cache, state = {"backend": "redis"}, {"redis_url": SecretStr(redis.url)}
    async with fleet(cache=cache, state=state) as ((sim,), door):
        await until_hit(door)
        redis.pause()
        replies = [await ask(door, seed=None) for _ in range(20)]
        assert [reply.status_code for reply in replies] == [200] * 20
        assert {reply.headers["x-cache"] for reply in replies[1:]} == {"bypass"}
        assert len(asked(sim)) >= 20
        assert sum(reply.elapsed.total_seconds() > 0.06 for reply in replies) <= 2
        redis.resume()
        await until_hit(door)


async def until_hit(door: Gateway) -> None:
    """Ask until it is given again, and something else before: connecting may take longer than a request waits."""
    async with asyncio.timeout(10):
        for seed in (1, None):
            while (await ask(door, seed=seed)).headers["x-cache"] != "hit":  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.05)
