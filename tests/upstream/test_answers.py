"""The forms of an answer, over a sink that only takes notes."""

import asyncio
from typing import TypeVar

import pytest

from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.exchange import Exchange, Flow, Headers
from vllm_gateway.upstream.answers import (
    HOLD_BYTES,
    AttemptFailed,
    ErrorAnswer,
    EventStream,
    OnePiece,
    Stream,
    form_of,
    header,
)
from vllm_gateway.upstream.verdicts import MAX_ERROR_BYTES

T = TypeVar("T")
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
JSON: Headers = [(b"content-type", b"application/json")]
EVENTS: Headers = [(b"content-type", b"text/event-stream")]


class Notes:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.is_gone = False
        self.is_started = False
        self.status = 0
        self.headers: Headers = []
        self.written = b""
        self.is_ended = False
        self.is_cut = False
        self.is_dropped = False

    def feed_from(self, flow: Flow | None) -> None:
        """Do nothing: nobody is slow here."""

    def start(self, status: int, headers: Headers) -> None:
        """Note the head."""
        self.is_started, self.status, self.headers = True, status, headers

    def write(self, data: bytes) -> None:
        """Note a part."""
        self.written += data

    def end(self) -> None:
        """Note the end."""
        self.is_ended = True

    def cut(self) -> None:
        """Note the cut."""
        self.is_cut = True

    def drop(self) -> None:
        """Note that the caller was not waited for."""
        self.is_dropped = True

    async def until(self, done: "asyncio.Future[T]") -> T:
        """Wait."""
        return await done


async def no_body() -> bytes:
    """Nothing is read here."""
    return b""


def chat(body: bytes = b'{"model":"m","stream":true}') -> Exchange:
    """Return an exchange that has been understood."""
    operation = build_operations(max_json_depth=64)["/v1/chat/completions"]
    exchange = Exchange(id="x1", operation=operation, headers=[], receive=no_body, started=0.0)
    exchange.asked = operation.read(body)
    return exchange


def a_stream() -> Stream:
    """Return a stream of chat chunks."""
    asked = chat().asked
    assert asked is not None
    return Stream(asked.new_watch())


def test_the_head_decides_the_form() -> None:
    """A 200 with events is a stream, another 200 is one piece, everything else is an error."""
    sink = Notes()
    assert isinstance(form_of(200, EVENTS, chat(), sink, a_stream), EventStream)
    assert isinstance(form_of(200, JSON, chat(), sink, a_stream), OnePiece)
    assert isinstance(form_of(404, EVENTS, chat(), sink, a_stream), ErrorAnswer)
    assert isinstance(form_of(200, [(b"content-type", b"Text/Event-Stream")], chat(), sink, a_stream), EventStream)


def test_a_compressed_answer_is_none() -> None:
    """It was not asked for; passed on without its header it would be noise, and a stream could not be watched."""
    answer = form_of(200, [*JSON, (b"content-encoding", b"gzip")], chat(), Notes(), a_stream)
    answer.feed(b"\x1f\x8b")
    with pytest.raises(AttemptFailed) as caught:
        answer.end()
    assert caught.value.verdict.is_retryable


@pytest.mark.parametrize(
    ("framing", "body"),
    [([], b'{"half":'), ([], b""), ([(b"content-length", b"0")], b""), ([(b"transfer-encoding", b"chunked")], b"")],
)
def test_one_piece_that_is_none_fails_retryably(framing: Headers, body: bytes) -> None:
    """Nothing is no answer; and what ends only with the connection may have been cut, which its JSON shows."""
    sink = Notes()
    piece = form_of(200, [*JSON, *framing], chat(), sink, a_stream)
    piece.feed(body)
    with pytest.raises(AttemptFailed) as caught:
        piece.end()
    assert caught.value.verdict.is_retryable
    assert not sink.is_started


def test_header_finds_the_first_value() -> None:
    """A missing header is empty."""
    assert header([(b"a", b"1"), (b"a", b"2")], b"a") == b"1"
    assert header([], b"a") == b""


def test_a_stream_starts_with_its_first_event() -> None:
    """The head waits for something that is worth a head."""
    sink = Notes()
    stream = form_of(200, EVENTS, chat(), sink, a_stream)
    stream.feed(LAST[:10])
    assert not sink.is_started
    stream.feed(LAST[10:])
    assert (sink.status, sink.written, stream.has_delivered) == (200, LAST, True)
    assert (b"x-request-id", b"x1") in sink.headers
    stream.feed(DONE)
    assert stream.has_said_all()
    stream.end()
    assert sink.is_ended


def test_a_comment_is_passed_but_delivers_nothing() -> None:
    """After a comment another replica can still answer."""
    sink = Notes()
    stream = form_of(200, EVENTS, chat(), sink, a_stream)
    stream.feed(b": keep-alive\n\n")
    assert sink.written == b": keep-alive\n\n"
    assert not stream.has_delivered


def test_a_stream_that_stops_too_early_fails_retryably() -> None:
    """What is missing is the replica's fault."""
    sink = Notes()
    stream = form_of(200, EVENTS, chat(), sink, a_stream)
    with pytest.raises(AttemptFailed) as caught:
        stream.end()
    assert caught.value.verdict.is_retryable
    assert not sink.is_ended


def test_one_piece_is_held_back_until_its_end() -> None:
    """Nothing of it has left while the replica could still die."""
    sink = Notes()
    exchange = chat()
    piece = form_of(200, JSON, exchange, sink, a_stream)
    body = b'{"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":2}}}'
    piece.feed(body)
    assert not sink.is_started
    piece.end()
    assert (sink.written, sink.is_ended) == (body, True)
    assert (b"content-length", b"%d" % len(body)) in sink.headers
    assert exchange.usage is not None
    assert (exchange.usage.prompt_tokens, exchange.usage.completion_tokens, exchange.usage.cached_tokens) == (3, 4, 2)


def test_a_large_piece_leaves_as_it_comes() -> None:
    """What is held back is bounded."""
    sink = Notes()
    piece = form_of(200, [*JSON, (b"content-length", b"9999999")], chat(), sink, a_stream)
    piece.feed(b"x" * HOLD_BYTES)
    assert not sink.is_started
    piece.feed(b"y")
    assert (len(sink.written), piece.has_delivered) == (HOLD_BYTES + 1, True)
    assert (b"content-length", b"9999999") in sink.headers


def test_one_piece_cannot_follow_a_stream() -> None:
    """When an earlier replica began a stream with a comment, a JSON answer is no answer."""
    sink = Notes()
    sink.start(200, [])
    piece = form_of(200, JSON, chat(), sink, a_stream)
    piece.feed(b"{}")
    with pytest.raises(AttemptFailed):
        piece.end()
    assert sink.written == b""


def test_an_error_is_read_only_so_far() -> None:
    """Megabytes of error end the reading and say nothing."""
    answer = form_of(400, JSON, chat(), Notes(), a_stream)
    with pytest.raises(AttemptFailed) as caught:
        answer.feed(b"x" * (MAX_ERROR_BYTES + 1))
    assert caught.value.body == b""
    assert not caught.value.verdict.passes
    assert not answer.has_said_all()
