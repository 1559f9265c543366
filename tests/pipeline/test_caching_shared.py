"""Callers who ask the same at the same moment."""

import asyncio

import pytest

from tests.cache.callers import Slow
from tests.pipeline.cached import CHAT, QUESTION, STREAM, STREAMED, USAGE, Cached, Reply, said, whole
from tests.waiting import until
from vllm_gateway.errors import LimitReached, ReplicaFailed, ReplicaTruncated
from vllm_gateway.exchange import Asked, Exchange
from vllm_gateway.pipeline.replaying import Give
from vllm_gateway.upstream.answers import start_stream


async def test_a_hundred_callers_make_one_call() -> None:
    """Streams and answers in one piece, together; each has a reply of its own."""
    cached = Cached()
    cached.replica.may_begin.clear()
    replies = [Reply(STREAMED if number % 2 else QUESTION) for number in range(100)]
    tasks = [cached.start(reply) for reply in replies]
    await until(lambda: bool(cached.replica.asked))
    cached.replica.may_begin.set()
    await asyncio.gather(*tasks)
    assert len(cached.replica.asked) == 1
    assert [reply.cache for reply in replies].count("miss") == 1
    assert {said(reply.body) if "stream" in str(reply.exchange.body) else "Hello" for reply in replies} == {"Hello"}
    assert all(reply.exchange.usage == USAGE for reply in replies)
    assert sum(reply.exchange.attempts for reply in replies) == 1


async def test_who_comes_in_the_middle_of_a_stream_gets_it_from_the_first_byte() -> None:
    """At once, and then as it comes."""
    cached = Cached()
    cached.replica.may_end.clear()
    first, later = Reply(STREAMED), Reply(STREAMED)
    tasks = [cached.start(first)]
    await until(lambda: said(first.sink.written) == "Hello")
    tasks.append(cached.start(later))
    await until(lambda: later.sink.written == first.sink.written)
    assert not later.sink.is_ended
    cached.replica.may_end.set()
    await asyncio.gather(*tasks)
    assert later.body == first.body
    assert (first.cache, later.cache) == ("miss", "hit")


async def test_who_asked_first_may_leave() -> None:
    """The others get the answer, and it is kept."""
    cached = Cached()
    cached.replica.may_end.clear()
    first, later = Reply(STREAMED), Reply(STREAMED)
    leaving, staying = cached.start(first), cached.start(later)
    await until(lambda: said(later.sink.written) == "Hello")
    leaving.cancel()
    await asyncio.wait([leaving])
    cached.replica.may_end.set()
    await staying
    assert said(later.body) == "Hello"
    assert first.exchange.attempts == 1
    assert (cached.replica.cancelled, (await cached.ask(QUESTION)).cache) == (0, "hit")


async def test_when_all_have_left_nothing_is_asked_any_more() -> None:
    """The replica is let go, and who comes then begins anew."""
    cached = Cached()
    cached.replica.may_end.clear()
    tasks = [cached.start(Reply(STREAMED)) for _ in range(3)]
    await until(lambda: bool(cached.replica.asked))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await until(lambda: cached.replica.cancelled == 1)
    cached.replica.may_end.set()
    assert (await cached.ask(STREAMED)).cache == "miss"


async def test_a_slow_caller_gets_the_rest_when_it_takes_it() -> None:
    """The others do not wait for it, and nobody asks again."""
    cached = Cached()
    slow = Slow(1)
    replies = [Reply(STREAMED, sink=slow), Reply(STREAMED)]
    tasks = [cached.start(reply) for reply in replies]
    await tasks[1]
    assert not slow.is_ended
    slow.take(100_000)
    await tasks[0]
    assert replies[0].body == replies[1].body
    assert len(cached.replica.asked) == 1


async def test_a_failure_is_tried_once_more_together() -> None:
    """Who asked first is told; the others ask once more, one for all, and are told if that fails too."""
    cached = Cached()
    cached.replica.may_begin.clear()
    cached.replica.failure = ReplicaFailed("no")
    tasks = [cached.start(Reply(STREAMED)) for _ in range(50)]
    await until(lambda: bool(cached.replica.asked))
    cached.replica.may_begin.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, ReplicaFailed) for outcome in outcomes)
    assert len(cached.replica.asked) == 2


async def test_a_stream_that_has_begun_gets_the_answer_of_the_second_try() -> None:
    """Who has heard that somebody is there hears the answer as it comes, and it is asked for once more only."""
    cached = Cached()
    cached.replica.may_begin.clear()
    cached.replica.failure = ReplicaFailed("no")
    replies = [Reply(STREAMED) for _ in range(3)]
    tasks = [cached.start(reply) for reply in replies]
    await until(lambda: bool(cached.replica.asked))
    for reply in replies:
        start_stream(reply.exchange, reply.sink)
    cached.replica.may_begin.set()
    with pytest.raises(ReplicaFailed):
        await tasks[0]
    cached.replica.failure = None
    await asyncio.gather(*tasks[1:])
    assert [said(reply.body) for reply in replies[1:]] == ["Hello", "Hello"]
    assert len(cached.replica.asked) == 2


async def test_the_firsts_limits_are_its_own() -> None:
    """The others are answered."""
    cached = Cached()
    cached.replica.may_begin.clear()
    cached.replica.failure = LimitReached("too much")
    replies = [Reply(QUESTION) for _ in range(3)]
    tasks = [cached.start(reply) for reply in replies]
    await until(lambda: bool(cached.replica.asked))
    cached.replica.may_begin.set()
    with pytest.raises(LimitReached):
        await tasks[0]
    cached.replica.failure = None
    await asyncio.gather(*tasks[1:])
    assert [reply.sink.written for reply in replies] == [b"", whole(), whole()]
    assert replies[0].exchange.limits == b"x-ratelimit: 9\r\n"


async def test_who_joins_is_billed_where_hits_are() -> None:
    """Within its own limits, for all the time that it takes; what came to nothing is billed to nobody."""
    cached = Cached()
    billed: list[int] = []

    async def bill(exchange: Exchange, asked: Asked, give: Give) -> None:
        await asyncio.sleep(0)  # a limit may have to be asked for
        if len(billed) == 2:
            raise LimitReached("too much")
        billed.append(0)
        await give(asked)
        billed[0] += exchange.usage.completion_tokens if exchange.usage is not None else 0

    cached.replica.may_begin.clear()
    tasks = [cached.start(Reply(fields), bill=bill) for fields in (STREAMED, STREAMED, QUESTION, QUESTION)]
    await until(lambda: len(billed) == 2)
    cached.replica.may_begin.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 3 + [LimitReached]
    assert (billed, len(cached.replica.asked)) == ([2 * USAGE.completion_tokens, 0], 1)


async def test_limits_that_everybody_has_reached_are_told_to_everybody() -> None:
    """After two that failed a caller asks by itself, for what it is told is its own affair."""
    cached = Cached()
    cached.replica.may_begin.clear()
    cached.replica.failure = LimitReached("too much")
    tasks = [cached.start(Reply(QUESTION)) for _ in range(4)]
    await until(lambda: bool(cached.replica.asked))
    cached.replica.may_begin.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, LimitReached) for outcome in outcomes)
    assert len(cached.replica.asked) == 4


async def test_a_stream_that_breaks_off_breaks_off_for_all() -> None:
    """What was delivered cannot be taken back; nothing is kept."""
    cached = Cached()
    cached.replica.failure, cached.replica.fails_after = ReplicaTruncated("broke off"), 2
    replies = [Reply(STREAMED), Reply(STREAMED)]
    outcomes = await asyncio.gather(*map(cached.start, replies), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ReplicaTruncated, ReplicaTruncated]
    assert [reply.sink.written for reply in replies] == [b"".join(STREAM[:2])] * 2
    cached.replica.failure = None
    assert (await cached.ask(STREAMED)).cache == "miss"


async def test_who_waits_for_a_refusal_asks_by_itself() -> None:
    """What a replica refuses is told in the words of each caller's client."""
    cached = Cached()
    cached.replica.may_begin.clear()
    cached.replica.status, cached.replica.body = 400, b'{"error":{"message":"no"}}'
    replies = [Reply(QUESTION) for _ in range(3)]
    tasks = [cached.start(reply) for reply in replies]
    await until(lambda: bool(cached.replica.asked))
    cached.replica.may_begin.set()
    await asyncio.gather(*tasks)
    assert [(reply.sink.status, reply.body) for reply in replies] == [(400, cached.replica.body)] * 3


async def test_a_defect_is_raised_as_it_is() -> None:
    """To who asked first; the others come to it by themselves."""
    cached = Cached()
    cached.replica.may_begin.clear()
    cached.replica.failure = ZeroDivisionError("a defect")
    tasks = [cached.start(Reply(QUESTION)) for _ in range(3)]
    await until(lambda: bool(cached.replica.asked))
    cached.replica.may_begin.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ZeroDivisionError}


async def test_at_the_end_everything_is_let_go() -> None:
    """Nothing goes on behind the gateway's back."""
    cached = Cached()
    cached.replica.may_begin.clear()
    task = cached.start(Reply(QUESTION, path=CHAT))
    await until(lambda: bool(cached.replica.asked))
    await cached.caching.close()
    outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(outcome, Exception)
    assert cached.replica.cancelled == 1
