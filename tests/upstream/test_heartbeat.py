"""Comments while the model is silent."""

import asyncio
from dataclasses import replace

import pytest

from tests.exchanges import exchange
from tests.upstream.test_answers import Notes
from vllm_gateway.clock import HandClock
from vllm_gateway.exchange import Exchange
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.heartbeat import COMMENT, Heartbeat, audible


def asking(*, stream: bool = True) -> Exchange:
    """Return an exchange that has been understood."""
    made = exchange("/api/chat")
    made.asked = replace(made.operation.read(b'{"message": "Hi"}'), stream=stream)
    return made


def beating(made: Exchange) -> tuple[Heartbeat, Notes, HandClock]:
    """Return a heartbeat of ten seconds."""
    sink, clock = Notes(), HandClock()
    return Heartbeat(made, sink, every_s=10, clock=clock), sink, clock


def test_silence_is_bridged_and_the_reply_begins_with_it() -> None:
    """Every ten seconds a comment; the head leaves with the first."""
    made = asking()
    heartbeat, sink, clock = beating(made)
    for seconds in (9.9, 0.1, 5, 5, 10):
        clock.move(seconds)
        heartbeat.check(clock.now())
    assert sink.written == COMMENT * 3
    assert (sink.status, made.is_event_stream, heartbeat.is_started) == (200, True, True)
    assert (b"content-type", b"text/event-stream; charset=utf-8") in sink.headers


def test_who_speaks_needs_no_heartbeat() -> None:
    """The clock begins anew with every event."""
    made = asking()
    heartbeat, sink, clock = beating(made)
    made.is_event_stream = True
    heartbeat.start(200, [])
    for _ in range(5):
        clock.move(9)
        heartbeat.check(clock.now())
        heartbeat.write(b"data: {}\n\n")
    assert COMMENT not in sink.written


@pytest.mark.parametrize("how", ["end", "cut", "drop"])
def test_what_is_over_is_silent(how: str) -> None:
    """However it came to its end."""
    heartbeat, sink, clock = beating(asking())
    getattr(heartbeat, how)()
    clock.move(100)
    heartbeat.check(clock.now())
    assert sink.written == b""


def test_only_streams_have_one() -> None:
    """An answer in one piece would be spoilt, and so would one that began as something else."""
    for made in (asking(stream=False), exchange("/api/chat")):
        heartbeat, sink, clock = beating(made)
        clock.move(100)
        heartbeat.check(clock.now())
        assert (sink.status, sink.written) == (0, b"")
    heartbeat, sink, clock = beating(asking())
    heartbeat.start(500, [])
    clock.move(100)
    heartbeat.check(clock.now())
    assert sink.written == b""


async def test_everything_else_passes_through() -> None:
    """What the relay asks of a sink."""
    heartbeat, sink, _ = beating(asking())
    heartbeat.feed_from(None)
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(5)
    assert await heartbeat.until(done) == 5
    assert not heartbeat.is_gone
    sink.is_gone = True
    assert heartbeat.is_gone
    heartbeat.end()
    assert sink.is_ended


@pytest.mark.parametrize(
    ("path", "stream", "every_s", "heard"),
    [
        ("/v1/chat/completions", True, 10, 1),
        ("/v1/chat/completions", False, 10, 0),
        ("/v1/chat/completions", True, 0, 0),
        ("/api/chat", True, 10, 0),
    ],
    ids=["stream", "one piece", "switched off", "has its own"],
)
async def test_who_waits_is_heard_where_nothing_else_is(path: str, *, stream: bool, every_s: float, heard: int) -> None:
    """Streams of vLLM's routes are kept open while their replica is waited for, and only meanwhile."""
    made, clock = exchange(path), HandClock()
    body = b'{"message":"Hi"}' if path == "/api/chat" else b'{"messages":[]}'
    made.asked = replace(made.operation.read(body), stream=stream)
    deadlines = Deadlines(clock)
    with audible(made, Notes(), every_s=every_s, deadlines=deadlines, clock=clock):
        assert len(deadlines) == heard
    assert len(deadlines) == 0
    deadlines.close()
