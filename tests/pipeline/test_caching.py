"""Answers that are given again, and answers that are shared."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.pipeline.cached import DONE, QUESTION, STREAM, STREAMED, USAGE, Cached, Reply, event, said, whole
from tests.waiting import until
from vllm_gateway import codec
from vllm_gateway.dialects.sse import payloads
from vllm_gateway.errors import IdempotencyConflict, ReplicaFailed
from vllm_gateway.exchange import Asked, Exchange, Headers, Keeping, Saying
from vllm_gateway.pipeline.replaying import Give

WITH_USAGE = {**STREAMED, "stream_options": {"include_usage": True}}
NAMED: Headers = [(b"idempotency-key", b"order-1")]


async def test_the_same_question_is_asked_once() -> None:
    """The second answer is the first one, byte for byte, and says how old it is."""
    cached = Cached()
    first = await cached.ask(QUESTION)
    cached.clock.move(42)
    second = await cached.ask({"temperature": 0, **QUESTION, "user": "u"})
    assert (first.cache, second.cache, second.age) == ("miss", "hit", "42")
    assert first.body == second.body == whole()
    assert len(cached.replica.asked) == 1
    assert (second.exchange.usage, second.exchange.attempts, second.exchange.status) == (USAGE, 0, 200)
    assert dict(second.sink.headers)[b"x-request-id"] == second.exchange.id.encode()


async def test_a_stream_is_given_again_with_the_same_events() -> None:
    """Each of them."""
    cached = Cached()
    first, second = await cached.ask(STREAMED), await cached.ask(STREAMED)
    assert first.body == second.body == b"".join(STREAM) + DONE
    assert (second.cache, second.exchange.is_event_stream, second.exchange.usage) == ("hit", True, USAGE)
    assert dict(second.sink.headers)[b"content-type"].startswith(b"text/event-stream")


async def test_one_entry_serves_both_forms() -> None:
    """A stream becomes an answer in one piece, and the other way round."""
    one, other = Cached(), Cached()
    await one.ask(STREAMED)
    reply = await one.ask(QUESTION)
    assert reply.value == codec.loads(whole())
    await other.ask(QUESTION)
    streamed = await other.ask(STREAMED)
    assert said(streamed.body) == "Hello"
    assert b'"usage"' not in streamed.body
    assert len(one.replica.asked) == len(other.replica.asked) == 1


async def test_usage_is_told_to_those_who_ask_for_it() -> None:
    """In every form, from an answer of every other form."""
    for first in (QUESTION, STREAMED, WITH_USAGE):
        cached = Cached()
        await cached.ask(first)
        told = [codec.loads(each) for each in payloads((await cached.ask(WITH_USAGE)).body)]
        if first is not WITH_USAGE:
            assert told[-1]["usage"] == {"prompt_tokens": 7, "total_tokens": 9, "completion_tokens": 2}
        assert b'"usage"' not in (await cached.ask(STREAMED)).body
        assert (await cached.ask(QUESTION)).exchange.usage == USAGE
        assert len(cached.replica.asked) == 1


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({**QUESTION, "seed": 1}, {}),
        ({**QUESTION, "tools": []}, {}),
        ({**QUESTION, "messages": [{"role": "user", "content": "ho"}]}, {}),
        ({**QUESTION, "temperature": 0.5, "seed": 1}, {}),
        (QUESTION, {"caller": "b"}),
        (QUESTION, {"model": "n"}),
    ],
)
async def test_another_question_is_another_answer(fields: dict[str, Any], about: dict[str, Any]) -> None:
    """D-06, S-13: nothing crosses callers, models or parameters."""
    cached = Cached()
    await cached.ask(QUESTION)
    assert (await cached.ask(fields, **about)).cache == "miss"
    assert len(cached.replica.asked) == 2


@pytest.mark.parametrize("end", ["abort", "content_filter", "error"])
async def test_what_did_not_end_as_it_should_is_not_kept(end: str) -> None:
    """D-06: only what the model brought to its end."""
    cached = Cached()
    cached.replica.body = whole(end=end)
    cached.replica.events = [*STREAM[:-1], STREAM[-1].replace(b'"stop"', b'"%b"' % end.encode()), DONE]
    for fields in (QUESTION, QUESTION, STREAMED, STREAMED):
        assert (await cached.ask(fields)).cache == "miss"


async def test_a_refusal_is_not_kept() -> None:
    """It passes in the replica's words."""
    cached = Cached()
    cached.replica.status, cached.replica.body = 400, b'{"error":{"message":"no"}}'
    for _ in range(2):
        reply = await cached.ask(QUESTION)
        assert (reply.sink.status, reply.body, reply.cache) == (400, cached.replica.body, "miss")
    assert len(cached.replica.asked) == 2


async def test_what_is_drawn_by_chance_is_drawn_again() -> None:
    """Unless the settings say otherwise."""
    warm = {**QUESTION, "temperature": 0.7}
    cached, lenient = Cached(), Cached(any_temperature=True)
    assert [(await cached.ask(warm)).cache for _ in range(2)] == ["bypass", "bypass"]
    assert [(await lenient.ask(warm)).cache for _ in range(2)] == ["miss", "hit"]


async def test_what_is_too_large_is_not_kept() -> None:
    """It reaches its caller all the same."""
    cached = Cached(max_answer_bytes=100)
    for fields in (QUESTION, QUESTION, STREAMED, STREAMED):
        reply = await cached.ask(fields)
        assert reply.cache == "miss"
        assert said(reply.body) == "Hello" if "stream" in fields else reply.body == whole()
    assert len(cached.replica.asked) == 4


async def test_callers_may_want_it_anew() -> None:
    """`no-cache` asks and keeps, `no-store` does neither."""
    cached = Cached()
    await cached.ask(QUESTION)
    cached.replica.body = whole("Changed")
    assert (await cached.ask(QUESTION, headers=[(b"cache-control", b"no-store")])).cache == "bypass"
    assert (await cached.ask(QUESTION)).body == whole()
    assert (await cached.ask(QUESTION, headers=[(b"cache-control", b"no-cache")])).cache == "miss"
    assert (await cached.ask(QUESTION)).body == whole("Changed")
    assert len(cached.replica.asked) == 3


async def test_an_answer_does_not_last_for_ever() -> None:
    """When its time is over the question is asked again."""
    cached = Cached()
    await cached.ask(QUESTION)
    cached.clock.move(600)
    assert (await cached.ask(QUESTION)).cache == "miss"


async def test_conversations_and_keys_of_replicas_go_past() -> None:
    """A turn changes its session; a replica that checks keys is to be asked."""
    cached = Cached()
    assert (await cached.ask(QUESTION, upstream_key=b"k")).cache == "bypass"
    for change in ({"saying": Saying([], lambda *_: b"")}, {"keeping": Keeping(keeps=True, previous=None, items=[])}):
        for _ in range(2):
            reply = Reply(QUESTION, headers=NAMED)
            assert reply.exchange.asked is not None
            reply.exchange.asked = replace(reply.exchange.asked, **change)
            await cached.start(reply)
            assert reply.cache == "bypass"
    assert len(cached.replica.asked) == 5


async def test_where_nothing_is_kept_nothing_is_touched() -> None:
    """The caller's own sink is written to; only a request with a name is looked at."""
    cached = Cached(keeps=False)
    reply = await cached.ask(QUESTION)
    assert (reply.cache, reply.body) == ("", whole())
    assert not cached.caching.concerns(reply.exchange)
    assert cached.caching.concerns(Reply(QUESTION, headers=NAMED).exchange)
    assert Cached().caching.concerns(reply.exchange)


async def test_a_name_is_answered_once() -> None:
    """Be it drawn by chance: the same answer, for a day."""
    for cached in (Cached(), Cached(keeps=False)):
        warm = {**STREAMED, "temperature": 1}
        first = await cached.ask(warm, headers=NAMED)
        cached.clock.move(80_000)
        second = await cached.ask(warm, headers=NAMED)
        assert (first.cache, second.cache, second.age) == ("miss", "hit", "80000")
        assert first.body == second.body
        cached.clock.move(6_400)
        assert (await cached.ask(warm, headers=NAMED)).cache == "miss"


async def test_a_name_that_is_under_way_is_joined() -> None:
    """By the same body; another one is refused at once."""
    cached = Cached(keeps=False)
    cached.replica.may_end.clear()
    first, again = Reply(STREAMED, headers=NAMED), Reply(STREAMED, headers=NAMED)
    tasks = [cached.start(first), cached.start(again)]
    await until(lambda: said(again.sink.written) == "Hello")
    with pytest.raises(IdempotencyConflict):
        await cached.ask(QUESTION, headers=NAMED)
    cached.replica.may_end.set()
    await asyncio.gather(*tasks)
    assert first.body == again.body
    assert len(cached.replica.asked) == 1


async def test_a_name_belongs_to_one_request() -> None:
    """Another body, or another path, is 422; another caller may use the name."""
    cached = Cached()
    await cached.ask(QUESTION, headers=NAMED)
    with pytest.raises(IdempotencyConflict):
        await cached.ask({**QUESTION, "seed": 2}, headers=NAMED)
    with pytest.raises(IdempotencyConflict):
        await cached.ask(QUESTION, headers=NAMED, path="/api/chat")
    assert (await cached.ask({**QUESTION, "seed": 2}, headers=NAMED, caller="b")).cache == "miss"


async def test_a_name_that_failed_is_free() -> None:
    """Nothing was answered, so it may be asked again; so may what was refused."""
    cached = Cached()
    cached.replica.failure = ReplicaFailed("no")
    with pytest.raises(ReplicaFailed):
        await cached.ask(QUESTION, headers=NAMED)
    cached.replica.failure, cached.replica.status = None, 400
    assert (await cached.ask(QUESTION, headers=NAMED)).sink.status == 400
    cached.replica.status = 200
    assert (await cached.ask(QUESTION, headers=NAMED)).cache == "miss"
    assert (await cached.ask(QUESTION, headers=NAMED)).cache == "hit"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_name_that_was_given_up_is_free(stream: bool) -> None:
    """A replica that is stopped ends its answers early, and that is no answer for a day."""
    cached = Cached()
    cached.replica.body = whole("Hel", "abort")
    cached.replica.events = [*STREAM[:2], event(index=0, delta={}, finish_reason="abort"), DONE]
    fields = {**QUESTION, "stream": stream}
    assert b"abort" in (await cached.ask(fields, headers=NAMED)).body
    cached.replica.body, cached.replica.events = whole(), [*STREAM, DONE]
    assert b"abort" not in (await cached.ask(fields, headers=NAMED)).body
    assert (await cached.ask(fields, headers=NAMED)).cache == "hit"


async def test_a_name_keeps_what_the_cache_gave() -> None:
    """When the cache has forgotten it the name still leads to the same answer; `no-cache` does not change that."""
    cached = Cached()
    await cached.ask(QUESTION)
    assert (await cached.ask(QUESTION, headers=NAMED)).cache == "hit"
    cached.replica.body = whole("Changed")
    cached.clock.move(700)
    assert (await cached.ask(QUESTION)).body == whole("Changed")
    named = await cached.ask(QUESTION, headers=[*NAMED, (b"cache-control", b"no-cache")])
    assert named.body == whole()


async def test_an_answer_to_a_name_is_there_for_all() -> None:
    """It is the answer to the question as well."""
    cached = Cached()
    await cached.ask(QUESTION, headers=NAMED)
    assert (await cached.ask(QUESTION)).cache == "hit"


async def test_hits_are_billed_where_that_is_wanted() -> None:
    """They are given within the caller's limits; what a replica was asked is billed by the relay."""
    cached = Cached()
    billed: list[str] = []

    async def bill(exchange: Exchange, asked: Asked, give: Give) -> None:
        exchange.limits = b"x-ratelimit: 8\r\n"
        await give(asked)
        assert exchange.usage is not None
        billed.append(f"{exchange.usage.completion_tokens} tokens")

    await cached.ask(QUESTION, bill=bill)
    reply = await cached.ask(QUESTION, bill=bill)
    assert billed == ["2 tokens"]
    assert reply.exchange.limits == b"x-ratelimit: 8\r\n"
    assert (reply.cache, reply.body) == ("hit", whole())


async def test_an_answer_belongs_to_the_model_that_gave_it() -> None:
    """One that is made of something else by now is asked, though it has the same name."""
    cached = Cached()
    await cached.ask(QUESTION)
    cached.origin = ("r", "/another-model")
    assert [(await cached.ask(QUESTION)).cache for _ in "12"] == ["miss", "hit"]


async def test_an_answer_that_was_held_against_another_list_is_not_given() -> None:
    """It may say what is denied by now, also to who names the request again."""
    before, now = Cached(), Cached(screen="stricter")
    for headers in ([], NAMED):
        await before.ask(QUESTION, headers=headers)
    now.caching._answers, now.caching._once = before.caching._answers, before.caching._once
    for headers in ([], NAMED):
        await now.ask(QUESTION, headers=headers)
    assert len(now.replica.asked) == 1
    assert (await now.ask(QUESTION)).cache == "hit"


async def test_the_gateways_own_routes_share_the_answer() -> None:
    """A chat is a chat underneath, whichever route asks."""
    cached = Cached()
    await cached.ask(
        {"messages": QUESTION["messages"], "temperature": 0, "stream": True, "model": "m"}, path="/api/chat"
    )
    assert (await cached.ask({**QUESTION, "stream": False})).cache == "hit"
