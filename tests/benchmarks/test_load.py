"""The load client, against servers that do right and wrong."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import canned
from benchmarks.accounting import Watch
from benchmarks.figures import Figures
from benchmarks.load import EventCount, Load, Scenario, request
from vllm_gateway import codec

TINY = Scenario("tiny", "tiny", connections=2, warm_s=0.02, measured_s=0.1, drain_s=0.1)
STREAMED = replace(TINY, events=3)
EVENTS = canned.events()
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def streamed(*events: bytes) -> bytes:
    """Return a streamed response, one chunk per event."""
    return canned.stream_head() + b"".join(map(canned.chunk, events)) + canned.END_OF_CHUNKS


COMPLETE = streamed(EVENTS.role, EVENTS.token, EVENTS.token, EVENTS.last, EVENTS.done)


async def asked(scenario: Scenario, answer: bytes, *, is_closed_after: bool = False) -> Figures:
    """Run a scenario against a server that always answers with these bytes."""

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = len(request(scenario, port))
        try:
            while await reader.readexactly(size):
                writer.write(answer)
                if is_closed_after:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answering, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        return await Load(scenario, port).run(Watch(target=os.getpid(), replica=os.getpid()))
    finally:
        server.close()


@given(st.data())
def test_events_are_counted_wherever_the_bytes_are_cut(data: st.DataObject) -> None:
    """However a stream falls into pieces, each event counts once."""
    stream = EVENTS.role + b"data: x\ndata: y\n\n" + EVENTS.token + EVENTS.done
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    count = EventCount()
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert sum(count.feed(piece) for piece in pieces) == 4


def test_the_request_asks_for_what_the_scenario_says() -> None:
    """The body names tokens and pace for a stream, and neither for an answer in one piece."""
    head, _, body = request(replace(STREAMED, gap_ms=20), 8000).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8000\r\n")
    assert head.endswith(b"content-length: %d" % len(body))
    wanted = codec.loads(body)
    assert (wanted["stream"], wanted["max_tokens"], wanted["seed"]) == (True, 3, 20)
    assert "stream" not in codec.loads(request(TINY, 8000).partition(b"\r\n\r\n")[2])


async def test_right_answers_are_counted_and_timed() -> None:
    """Answers in one piece give a rate, times and no errors."""
    found = await asked(TINY, canned.response(canned.completion()))
    assert (found.errors, found.short, found.unfinished, found.events_per_s) == (0, 0, 0, None)
    assert found.requests_per_s
    assert found.p50_ms
    assert found.p99_ms
    assert found.p50_ms <= found.p99_ms


async def test_right_streams_are_counted_and_timed() -> None:
    """Streams give events, a time to the first, and gaps."""
    found = await asked(STREAMED, COMPLETE)
    assert (found.errors, found.short, found.unfinished) == (0, 0, 0)
    assert found.events_per_s
    assert found.requests_per_s
    assert found.ttft_p50_ms
    assert found.gap_p99_ms is not None


@pytest.mark.parametrize("kept", [2, 4])
async def test_a_stream_with_an_event_missing_is_short(kept: int) -> None:
    """A stream that ends in an orderly way, but too early, is no success."""
    events = (EVENTS.role, EVENTS.token, EVENTS.token, EVENTS.last, EVENTS.done)
    found = await asked(STREAMED, streamed(*events[:kept]))
    assert found.short > 0
    assert found.requests_per_s == 0


@pytest.mark.parametrize(
    "answer", [canned.response(b"{}", status=b"503 Service Unavailable"), b"no HTTP\r\n\r\n", COMPLETE[:-20], b""]
)
async def test_a_wrong_answer_is_an_error(answer: bytes) -> None:
    """Another status, no HTTP, or a connection that ends in an answer: all are errors, and the client goes on."""
    found = await asked(STREAMED, answer, is_closed_after=True)
    assert found.errors > 1
    assert found.requests_per_s == 0


async def test_an_orderly_close_is_no_error() -> None:
    """A server that closes after each answer, and says so, is asked again on a new connection."""
    closing = canned.response(b"{}").replace(b"server: canned", b"connection: close")
    found = await asked(TINY, closing, is_closed_after=True)
    assert (found.errors, found.unfinished) == (0, 0)
    assert found.requests_per_s


async def test_an_answer_that_never_ends_is_unfinished() -> None:
    """The client waits for the last answers for a time, and says how many did not come."""
    found = await asked(STREAMED, canned.stream_head() + canned.chunk(EVENTS.role))
    assert (found.unfinished, found.requests_per_s) == (2, 0)


async def test_nobody_there_is_an_error() -> None:
    """A port where nobody listens gives errors, no exception."""
    unused = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = unused.sockets[0].getsockname()[1]
    unused.close()
    found = await Load(TINY, port).run(Watch(target=os.getpid(), replica=os.getpid()))
    assert found.errors >= 2


def test_another_route_is_asked_in_its_own_way() -> None:
    """A scenario may name a path and what the body holds besides; the length that is announced fits."""
    head, _, body = request(replace(TINY, path="/api/chat", extra={"stream": False}), 1).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/chat HTTP/1.1\r\n")
    assert codec.loads(body)["stream"] is False
    assert b"content-length: %d" % len(body) in head
