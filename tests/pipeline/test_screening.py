"""The deny-list before and behind a replica."""

from collections.abc import Awaitable, Callable

import pytest

from tests.dialects.streams import DONE, LAST, chunk, data
from tests.upstream.test_answers import Notes, chat
from vllm_gateway.errors import ContentRefused
from vllm_gateway.exchange import Asked, Exchange, Headers, Saying, Sink
from vllm_gateway.pipeline.screening import Screening, screening_for
from vllm_gateway.settings.admission import Rules

STREAM: Headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
JSON: Headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
HARMLESS = b'{"choices":[{"message":{"content":"bombastic"}}]}'
DENIED = b'{"choices":[{"message":{"content":"a bomb"}}]}'

Relaying = Callable[[Asked, Sink], Awaitable[None]]


def screening(**rules: object) -> Screening:
    """Return what a deny-list of one word makes."""
    made = screening_for(Rules.model_validate({"deny_words": ["bomb"], "deny_window": 16, **rules}))
    assert made is not None
    return made


def asked_in(exchange: Exchange) -> Asked:
    """Return what an exchange asks."""
    assert exchange.asked is not None
    return exchange.asked


def answering(exchange: Exchange, status: int, body: bytes) -> Relaying:
    """Return a relay that answers in one piece."""

    async def relay(_: Asked, sink: Sink) -> None:
        exchange.status = status
        sink.start(status, JSON)
        sink.write(body)
        sink.end()

    return relay


def streaming(exchange: Exchange, *events: bytes) -> Relaying:
    """Return a relay that answers event by event, through the watch that is set over it."""

    async def relay(asked: Asked, sink: Sink) -> None:
        exchange.status = 200
        watch = asked.new_watch()
        sink.start(200, STREAM)
        for event in events:
            sink.write(watch.feed(event))
        sink.end()

    return relay


def test_where_nothing_is_denied_there_is_nothing() -> None:
    """No list, no cost; looking at answers alone is no list."""
    assert screening_for(Rules()) is None
    assert screening_for(Rules(deny_output=True)) is None


def test_what_is_said_in_a_session_is_looked_at() -> None:
    """Its messages are not among the fields yet when it is read."""
    asked = asked_in(chat())
    screening().check(asked)
    saying = Saying([{"role": "user", "content": "a bomb"}], lambda *_: b"")
    with pytest.raises(ContentRefused):
        screening().check(Asked(**{**{name: getattr(asked, name) for name in asked.__slots__}, "saying": saying}))


def test_what_answers_are_held_against_has_a_name() -> None:
    """The same for the same list only; none where answers are left alone."""
    lists: tuple[dict[str, object], ...] = (
        {},
        {"deny_words": ["bomb", "other"]},
        {"deny_patterns": ["b+"]},
        {"deny_window": 32},
    )
    names = [screening(deny_output=True, **each).name for each in lists]
    assert names[0] == screening(deny_output=True).name
    assert len({*names, screening().name}) == 5
    assert not screening().name


async def test_answers_are_left_alone_unless_that_is_on() -> None:
    """Without `deny_output` the answer goes straight to the caller."""
    exchange, sink = chat(), Notes()
    await screening().relay(exchange, asked_in(exchange), sink, answering(exchange, 200, DENIED))
    assert (sink.written, sink.is_ended) == (DENIED, True)


async def test_an_answer_in_one_piece_is_looked_at_before_it_leaves() -> None:
    """A harmless one arrives as it is; of another one nothing leaves."""
    exchange, sink = chat(), Notes()
    both = screening(deny_output=True)
    await both.relay(exchange, asked_in(exchange), sink, answering(exchange, 200, HARMLESS))
    assert (sink.status, sink.written, sink.is_ended) == (200, HARMLESS, True)
    sink = Notes()
    with pytest.raises(ContentRefused):
        await both.relay(exchange, asked_in(exchange), sink, answering(exchange, 200, DENIED))
    assert not sink.is_started


async def test_a_replicas_refusal_passes() -> None:
    """What is no answer of a model is not looked at."""
    exchange, sink = chat(), Notes()
    refusal = answering(exchange, 400, b'{"error":{"message":"bomb"}}')
    await screening(deny_output=True).relay(exchange, asked_in(exchange), sink, refusal)
    assert (sink.status, sink.is_ended) == (400, True)


async def test_a_stream_is_looked_at_while_it_passes() -> None:
    """A harmless one arrives byte for byte; another one ends before what is denied."""
    exchange, sink = chat(), Notes()
    both = screening(deny_output=True)
    events = [data(chunk("bombastic")), LAST, DONE]
    await both.relay(exchange, asked_in(exchange), sink, streaming(exchange, *events))
    assert (sink.written, sink.is_ended) == (b"".join(events), True)
    sink = Notes()
    with pytest.raises(ContentRefused):
        await both.relay(exchange, asked_in(exchange), sink, streaming(exchange, data(chunk("a bomb")), LAST))
    assert sink.written == b""
