"""What a caller may use: refused in time, told with every answer, given back when it was not used."""

import asyncio
import contextlib
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.gateway import Gateway
from tests.waiting import until
from tests.wire.sims import asked, fast, fleet, last_seen
from vllm_gateway import codec
from vllm_gateway.outcomes import Outcome

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
ANN, BOB = "ann-0123456789", "bob-0123456789"


async def chat(door: Gateway, key: str = "", **fields: Any) -> httpx2.Response:  # noqa: ANN401 - any field
    """Ask for a short answer."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return await door.http.post(CHAT, json={**HELLO, **fields}, headers=headers)


async def broken_stream(door: Gateway, body: dict[str, Any]) -> str:
    """Return what comes of a stream whose connection is closed without an end."""
    text = b""
    async with door.http.stream("POST", CHAT, json=body) as reply:
        assert reply.status_code == 200
        with contextlib.suppress(httpx2.RemoteProtocolError):
            async for data in reply.aiter_raw():
                text += data
            raise AssertionError("the stream came to a proper end")
    return text.decode()


def left(reply: httpx2.Response, of: str = "tokens") -> int:
    """Return what the reply says is left."""
    return int(reply.headers[f"x-ratelimit-remaining-{of}"])


def used(reply: httpx2.Response) -> int:
    """Return the tokens that an answer has come to."""
    return int(reply.json()["usage"]["total_tokens"])


async def test_the_fourth_of_three_is_refused() -> None:
    """And no replica is asked; the refusal says when to come again, in every way that clients read."""
    async with fleet(limits={"requests_per_minute": 3}) as ((sim,), door):
        replies = [await chat(door) for _ in range(4)]
        outcomes = door.parts.ledger.outcomes
        assert len(asked(sim)) == 3
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert [left(reply, "requests") for reply in replies] == [2, 1, 0, 0]
    error = replies[3].json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "3 requests per minute" in error["message"]
    assert 18 <= int(replies[3].headers["retry-after"]) <= 20
    assert 18_000 <= int(replies[3].headers["retry-after-ms"]) <= 20_000
    assert replies[0].headers["x-ratelimit-limit-requests"] == "3"
    assert outcomes == {Outcome.OK: 3, Outcome.REFUSED_LIMIT: 1}


async def test_seconds_are_limited_too() -> None:
    """A limit per second holds beside the one per minute, and is over after a second."""
    async with fleet(limits={"requests_per_second": 2, "requests_per_minute": 100}) as (_, door):
        statuses = sorted(reply.status_code for reply in await asyncio.gather(*(chat(door) for _ in range(3))))
        await asyncio.sleep(0.6)
        statuses.append((await chat(door)).status_code)
    assert statuses == [200, 200, 429, 200]


async def test_keys_do_not_share() -> None:
    """What one key has used up another still has; wrong keys are refused before anything is counted."""
    auth = {"mode": "keys", "client_keys": [ANN, BOB]}
    async with fleet(limits={"requests_per_minute": 1}, auth=auth) as (_, door):
        statuses = [(await chat(door, key)).status_code for key in (ANN, ANN, BOB, BOB, "nobody-012345")]
    assert statuses == [200, 429, 200, 429, 401]


async def test_an_address_is_a_caller_where_there_are_no_keys() -> None:
    """And where the settings say so; then keys share what their address may use."""
    auth = {"mode": "keys", "client_keys": [ANN, BOB]}
    async with fleet(limits={"requests_per_minute": 1, "per": "ip"}, auth=auth) as (_, door):
        statuses = [(await chat(door, key)).status_code for key in (ANN, BOB)]
    assert statuses == [200, 429]


async def test_a_model_and_all_together_have_limits() -> None:
    """The model's holds for all callers of it, the total for all."""
    auth = {"mode": "keys", "client_keys": [ANN, BOB]}
    limits = {"models": {"a": {"requests_per_minute": 1}}, "total": {"requests_per_minute": 2}}
    async with fleet(fast(models=("a", "b")), limits=limits, auth=auth) as (_, door):
        asking = [(ANN, "a"), (BOB, "a"), (BOB, "b"), (ANN, "b")]
        statuses = [(await chat(door, key, model=model)).status_code for key, model in asking]
    assert statuses == [200, 429, 200, 429]


@pytest.mark.parametrize("stream", [False, True])
async def test_tokens_that_were_not_used_are_given_back(stream: bool) -> None:
    """An answer is reserved at its longest and settled at its length."""
    async with fleet(limits={"tokens_per_minute": 10_000}) as (_, door):
        first = await chat(door, stream=stream, max_tokens=500)
        assert left(first) < 9_500
        whole = used(await chat(door, max_tokens=4, seed=1))
        after = left(await chat(door, max_tokens=1))
    assert after > 10_000 - 500 - 2 * whole - 100


async def test_more_than_the_limit_can_never_pass() -> None:
    """A request that is larger than the whole limit is told so, not told to wait."""
    async with fleet(limits={"tokens_per_minute": 100}) as ((sim,), door):
        reply = await chat(door, max_tokens=1000)
        assert asked(sim) == []
    assert reply.status_code == 429
    assert "100" in reply.json()["error"]["message"]
    assert "retry-after" not in reply.headers
    assert reply.headers["x-should-retry"] == "false"


async def test_requests_at_the_same_time_are_limited() -> None:
    """The place of one that ended, or was left, is free at once."""
    async with fleet(fast(ttft_ms=300), limits={"concurrent": 2}) as (_, door):
        running = [asyncio.get_running_loop().create_task(chat(door)) for _ in range(2)]
        await until(lambda: len(door.parts.ledger.live) == 2)
        assert (await chat(door)).status_code == 429
        running[0].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running[0]
        await until(lambda: len(door.parts.ledger.live) == 1)
        assert (await chat(door)).status_code == 200
        assert (await running[1]).status_code == 200


async def test_a_request_that_no_replica_saw_costs_nothing() -> None:
    """Neither a model that nobody serves nor a body that is wrong is counted."""
    async with fleet(limits={"requests_per_minute": 1}) as (_, door):
        statuses = [(await chat(door, model="nope")).status_code, (await chat(door, max_tokens=-1)).status_code]
        statuses.append((await chat(door)).status_code)
    assert statuses == [404, 400, 200]


async def test_a_stream_that_was_left_is_billed_to_its_last_token() -> None:
    """The replica is asked to tell its usage with every event; the caller does not see it."""
    limits = {"tokens_per_day": 10_000, "bytes_per_token": 1}
    async with fleet(fast(itl_ms=10), limits=limits) as ((sim,), door):
        body = {**HELLO, "stream": True, "max_tokens": 400}
        async with door.http.stream("POST", CHAT, json=body) as reply:
            read = b""
            async for data in reply.aiter_raw():
                read += data
                if read.count(b"data: ") > 20:
                    break
        await until(lambda: not door.parts.ledger.live)
        await until(lambda: last_seen(sim).gone_at is not None)
        made = last_seen(sim).tokens
        after = await chat(door, max_tokens=1)
        reserved = len(after.request.content) + 1
        assert asked(sim)[0]["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert b'"usage"' not in read
    billed = 10_000 - left(after) - reserved
    assert made - 3 <= billed - after.json()["usage"]["prompt_tokens"] <= made


async def test_a_budget_ends_a_stream_that_outgrows_it() -> None:
    """One error event, no end; the replica is stopped."""
    limits = {"tokens_per_day": 150, "assumed_reply_tokens": 8}
    async with fleet(fast(itl_ms=10), limits=limits) as ((sim,), door):
        body = {key: value for key, value in HELLO.items() if key != "max_tokens"}
        text = await broken_stream(door, {**body, "stream": True, "ignore_eos": True})
        await until(lambda: last_seen(sim).gone_at is not None)
        again = await chat(door, max_tokens=80)  # more than is left, however soon it was ended
    assert text.count("[DONE]") == 0
    error = codec.loads(text.rstrip().rpartition("data: ")[2])["error"]
    assert error["code"] == "insufficient_quota"
    assert sim.log.requests[0].tokens < 200
    assert (again.status_code, again.json()["error"]["code"]) == (429, "insufficient_quota")


async def test_the_libraries_know_what_to_make_of_it() -> None:
    """OpenAI's and Anthropic's raise their own error for it, and find their own headers."""
    async with fleet(limits={"requests_per_minute": 2, "tokens_per_minute": 100_000}) as (_, door):
        async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="x", max_retries=0) as client:
            answer = await client.chat.completions.with_raw_response.create(**HELLO)
            assert int(answer.headers["x-ratelimit-remaining-requests"]) == 1
        async with anthropic.AsyncAnthropic(base_url=door.url, api_key="x", max_retries=0) as other:
            ask = other.messages.with_raw_response.create
            said = await ask(model="sim-small", max_tokens=4, messages=[{"role": "user", "content": "Hi"}])
            assert int(said.headers["anthropic-ratelimit-requests-remaining"]) == 0
            assert said.headers["anthropic-ratelimit-tokens-limit"] == "100000"
            with pytest.raises(anthropic.RateLimitError):
                await ask(model="sim-small", max_tokens=4, messages=[{"role": "user", "content": "Hi"}])
            async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="x", max_retries=0) as client:
                with pytest.raises(openai.RateLimitError):
                    await client.chat.completions.create(**HELLO)


async def test_the_simple_routes_are_limited_in_their_own_words() -> None:
    """One count for all routes; `detail` and `error` both say why."""
    async with fleet(limits={"requests_per_minute": 1}) as (_, door):
        assert (await door.http.post("/api/chat", json={"message": "Hi", "max_tokens": 2})).status_code == 200
        reply = await door.http.post("/chat", json={"message": "Hi", "max_tokens": 2})
    assert reply.status_code == 429
    assert reply.json()["detail"] == reply.json()["error"]["message"]
    assert "retry-after" in reply.headers


async def test_nothing_is_told_where_nothing_is_limited() -> None:
    """Without limits there are no headers, and replicas are asked for no more than before."""
    async with fleet() as ((sim,), door):
        reply = await chat(door, stream=True)
        assert asked(sim)[0]["stream_options"] == {"include_usage": True}
    assert not [name for name in reply.headers if "ratelimit" in name.lower()]
