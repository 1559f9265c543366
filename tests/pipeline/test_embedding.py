"""Embeddings that are known are not asked for again."""

import asyncio
from typing import Any

import pytest

from tests.pipeline.cached import Cached, Reply
from tests.waiting import until
from vllm_gateway.errors import ReplicaFailed
from vllm_gateway.exchange import Asked, Exchange, Usage
from vllm_gateway.pipeline.replaying import Give

PATH = "/v1/embeddings"


def of(*texts: str, **more: object) -> dict[str, Any]:
    """Return the body that asks for texts."""
    return {"model": "m", "input": list(texts), **more}


def rows(reply: Reply) -> list[Any]:
    """Return what was answered, in order."""
    data = reply.value["data"]
    assert [each["index"] for each in data] == list(range(len(data)))
    return [each["embedding"] for each in data]


def inputs(cached: Cached) -> list[Any]:
    """Return what the replica was asked for."""
    return [asked.fields["input"] for asked in cached.replica.asked]


async def test_only_what_is_missing_is_asked_for() -> None:
    """Merged in order, with the usage of all; the caller sees no difference."""
    cached = Cached()
    texts = [letter * (number + 1) for number, letter in enumerate("abcdefghij")]
    first = await cached.ask(of(*texts[:7]), path=PATH)
    cached.clock.move(5)
    mixed = [texts[9], *texts[:4], texts[7], *texts[4:7], texts[8]]
    second = await cached.ask(of(*mixed), path=PATH)
    assert inputs(cached) == [texts[:7], [texts[9], texts[7], texts[8]]]
    assert rows(second) == [[len(each), ord(each[0])] for each in mixed]
    assert second.value["usage"] == {"prompt_tokens": 55, "total_tokens": 55, "completion_tokens": 0}
    assert (first.cache, second.cache, second.exchange.usage) == ("miss", "miss", Usage(55, 0))
    assert second.exchange.attempts == 1
    third = await cached.ask(of(*texts), path=PATH)
    assert (third.cache, third.age, third.exchange.attempts) == ("hit", "5", 0)
    assert rows(third) == [[len(each), ord(each[0])] for each in texts]
    assert len(cached.replica.asked) == 2
    assert third.value["model"] == "m"


async def test_one_text_is_known_however_it_is_asked_for() -> None:
    """Alone, in a list, twice in a list, at another route."""
    cached = Cached()
    await cached.ask({"model": "m", "input": "aa"}, path=PATH)
    reply = await cached.ask(of("aa", "aa", "b", "b"), path=PATH)
    assert rows(reply) == [[2, 97], [2, 97], [1, 98], [1, 98]]
    assert reply.value["usage"]["prompt_tokens"] == 6
    assert inputs(cached) == ["aa", ["b"]]
    assert (await cached.ask({"model": "m", "input": ["b"]}, path="/api/embeddings")).cache == "hit"


async def test_what_nothing_is_known_of_passes_as_it_is() -> None:
    """In the replica's own words, and for everybody who asks at this moment."""
    cached = Cached()
    cached.replica.may_begin.clear()
    replies = [Reply(of("a", "b"), path=PATH) for _ in range(20)]
    tasks = [cached.start(reply) for reply in replies]
    await until(lambda: bool(cached.replica.asked))
    cached.replica.may_begin.set()
    await asyncio.gather(*tasks)
    assert len(cached.replica.asked) == 1
    assert {reply.value["id"] for reply in replies} == {"e1"}
    assert sorted(reply.cache for reply in replies) == ["hit"] * 19 + ["miss"]


async def test_what_is_missing_is_asked_for_once() -> None:
    """By all who miss the same."""
    cached = Cached()
    await cached.ask(of("a"), path=PATH)
    cached.replica.may_begin.clear()
    replies = [Reply(of("a", "b"), path=PATH) for _ in range(20)]
    tasks = [cached.start(reply) for reply in replies]
    await until(lambda: len(cached.replica.asked) == 2)
    cached.replica.may_begin.set()
    await asyncio.gather(*tasks)
    assert inputs(cached) == [["a", "b"][:1], ["b"]]
    assert all(rows(reply) == [[1, 97], [1, 98]] for reply in replies)


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        (of("a", dimensions=8), {}),
        (of("a"), {"caller": "b"}),
        (of("a"), {"model": "n"}),
        (of("A"), {}),
    ],
)
async def test_another_question_is_another_embedding(fields: dict[str, Any], about: dict[str, Any]) -> None:
    """D-06: nothing crosses callers, models or parameters."""
    cached = Cached()
    await cached.ask(of("a"), path=PATH)
    assert (await cached.ask(fields, path=PATH, **about)).cache == "miss"


async def test_callers_may_want_them_anew() -> None:
    """`no-cache` asks for all and keeps them, `no-store` does neither."""
    cached = Cached()
    await cached.ask(of("a"), path=PATH)
    assert (await cached.ask(of("a", "b"), path=PATH, headers=[(b"cache-control", b"no-store")])).cache == "bypass"
    assert (await cached.ask(of("b"), path=PATH)).cache == "miss"
    assert (await cached.ask(of("a", "b"), path=PATH, headers=[(b"cache-control", b"no-cache")])).cache == "miss"
    assert inputs(cached) == [["a"], ["a", "b"], ["b"], ["a", "b"]]


@pytest.mark.parametrize("fields", [{"model": "m", "input": ["x"] * 129}, {"model": "m", "input": "ab", "key": b""}])
async def test_what_cannot_be_told_apart_goes_past(fields: dict[str, Any]) -> None:
    """Very long lists, and callers whose key the replica checks."""
    cached = Cached()
    key = b"k" if "key" in fields else b""
    fields.pop("key", None)
    assert (await cached.ask(fields, path=PATH, upstream_key=key)).cache == "bypass"


async def test_a_failure_is_told_and_nothing_is_kept() -> None:
    """To who asked first; who waited asks by itself."""
    cached = Cached()
    await cached.ask(of("a"), path=PATH)
    cached.replica.may_begin.clear()
    cached.replica.failure = ReplicaFailed("no")
    first, other = (Reply(of("a", "b"), path=PATH) for _ in range(2))
    tasks = [cached.start(first), cached.start(other)]
    await until(lambda: len(cached.replica.asked) == 2)
    cached.replica.may_begin.set()
    with pytest.raises(ReplicaFailed):
        await tasks[0]
    with pytest.raises(ReplicaFailed):
        await tasks[1]
    assert inputs(cached) == [["a"], ["b"], ["a", "b"]]
    cached.replica.failure = None
    assert rows(await cached.ask(of("a", "b"), path=PATH)) == [[1, 97], [1, 98]]


async def test_a_refusal_is_of_the_whole_question() -> None:
    """What is refused of a part is asked whole, so that the replica's words fit."""
    cached = Cached()
    await cached.ask(of("a"), path=PATH)
    cached.replica.status = 400
    reply = await cached.ask(of("a", "b"), path=PATH)
    assert reply.sink.status == 400
    assert inputs(cached)[1:] == [["b"], ["a", "b"]]


async def test_what_is_too_large_is_asked_whole() -> None:
    """It cannot be put together, and reaches its caller all the same."""
    cached = Cached(max_answer_bytes=150)
    await cached.ask(of("a"), path=PATH)
    reply = await cached.ask(of("a", "b"), path=PATH)
    assert rows(reply) == [[1, 97], [1, 98]]


async def test_known_embeddings_are_billed_where_that_is_wanted() -> None:
    """With the tokens of all of them."""
    cached = Cached()
    billed: list[Usage | None] = []

    async def bill(exchange: Exchange, asked: Asked, give: Give) -> None:
        await give(asked)
        billed.append(exchange.usage)

    await cached.ask(of("aa", "b"), path=PATH, bill=bill)
    await cached.ask(of("b", "aa"), path=PATH, bill=bill)
    assert billed == [Usage(3, 0)]
