"""The end of an answer is kept back until what it promises is true."""

import asyncio

import pytest

from tests.upstream.test_answers import Notes
from vllm_gateway.dialects.kept_responses import ending
from vllm_gateway.exchange import Headers
from vllm_gateway.pipeline.held import Held, chunks_ending

STREAM: Headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
JSON: Headers = [(b"x-request-id", b"r"), (b"content-type", b"application/json"), (b"content-length", b"2")]
TOKEN = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("events", "at"),
    [
        (TOKEN, -1),
        (DONE, 0),
        (TOKEN + DONE, len(TOKEN)),
        (b'data: {"content":"data: [DONE]"}\n\n', -1),
        (b'data: {"content":"\\ndata: [DONE]"}\n\n', -1),
        (b": comment\n\n" + DONE, 11),
    ],
)
def test_the_end_of_a_stream_is_found_and_not_imitated(events: bytes, at: int) -> None:
    """What a model writes stands inside JSON, where no line begins."""
    assert chunks_ending(events) == at


def test_a_stream_leaves_but_for_its_end() -> None:
    """Everything before the last event passes at once; the rest follows when it is released."""
    sink = Notes()
    held = Held(sink)
    held.start(200, STREAM)
    held.write(TOKEN)
    held.write(TOKEN + DONE)
    held.end()
    assert (sink.status, sink.written, sink.is_ended) == (200, TOKEN + TOKEN, False)
    held.release()
    assert (sink.written, sink.is_ended) == (TOKEN + TOKEN + DONE, True)
    assert held.seen == sink.written
    assert held.is_stream


def test_what_comes_behind_the_end_stays_behind_it() -> None:
    """In the order in which it came."""
    sink = Notes()
    held = Held(sink)
    held.start(200, STREAM)
    held.write(DONE)
    held.write(b": bye\n\n")
    assert sink.written == b""
    held.release()
    assert sink.written == DONE + b": bye\n\n"


def test_an_answer_in_one_piece_waits_whole() -> None:
    """Until then the reply has not begun, so that a failure can still have a status."""
    sink = Notes()
    held = Held(sink)
    held.start(200, JSON)
    held.write(b"{")
    held.write(b"}")
    held.end()
    assert not held.is_started
    assert (sink.status, sink.written) == (0, b"")
    held.release()
    assert (sink.status, sink.written, sink.is_ended) == (200, b"{}", True)


def test_an_answer_can_be_replaced() -> None:
    """With its own length and the other headers."""
    sink = Notes()
    held = Held(sink)
    held.start(200, JSON)
    held.write(b"{}")
    held.release('{"é":1}'.encode())
    assert sink.written == '{"é":1}'.encode()
    assert sorted(sink.headers) == [
        (b"content-length", b"8"),
        (b"content-type", b"application/json"),
        (b"x-request-id", b"r"),
    ]


def test_what_passes_can_be_edited() -> None:
    """A stream piece by piece, an answer in one piece as a whole, wherever it was cut."""
    sink = Notes()
    held = Held(sink, edit=lambda data: data.replace(b"ab", b"X"))
    held.start(200, JSON)
    held.write(b"a")
    held.write(b"b")
    held.release()
    assert sink.written == b"X"
    stream = Notes()
    held = Held(stream, edit=lambda data: data.replace(b"ab", b"X"))
    held.start(200, STREAM)
    held.write(b"data: ab\n\n")
    held.release()
    assert (stream.written, held.seen) == (b"data: X\n\n", b"data: X\n\n")


def test_other_streams_have_other_ends() -> None:
    """Those of the Responses API end with an event of their own."""
    sink = Notes()
    held = Held(sink, ending=ending)
    held.start(200, STREAM)
    held.write(b"event: response.created\ndata: {}\n\nevent: response.completed\ndata: {}\n\n")
    assert sink.written == b"event: response.created\ndata: {}\n\n"


async def test_what_the_relay_asks_of_a_sink_passes_through() -> None:
    """Waiting, pausing, cutting and dropping are the caller's connection's business."""
    sink = Notes()
    held = Held(sink)
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(5)
    assert await held.until(done) == 5
    sink.is_gone = True
    assert held.is_gone
    held.cut()
    assert sink.is_cut


def test_a_stream_that_a_heartbeat_began_is_a_stream() -> None:
    """Its head has left below, so none comes through here; its events pass, and its end is held all the same."""
    sink = Notes()
    held = Held(sink)
    assert not held.is_stream
    sink.start(200, STREAM)
    held.write(TOKEN + DONE)
    assert (held.is_stream, sink.written) == (True, TOKEN)
    held.release()
    assert (held.seen, sink.written, sink.is_ended) == (TOKEN + DONE, TOKEN + DONE, True)
