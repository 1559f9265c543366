"""One try at one replica: what ends it, and what that means."""

import asyncio

import pytest

from tests.upstream.test_answers import DONE, EVENTS, JSON, LAST, Notes, a_stream, chat
from vllm_gateway.errors import ReplicaSilent, ReplicaTruncated
from vllm_gateway.settings.model import Timeouts
from vllm_gateway.upstream.answers import AttemptFailed
from vllm_gateway.upstream.attempt import Attempt
from vllm_gateway.upstream.connection import Connection, ConnectionFault

TIMEOUTS = Timeouts(first_token_s=10, idle_s=5, total_s=100)


def an_attempt(body: bytes = b'{"model":"m","stream":true}', timeouts: Timeouts = TIMEOUTS) -> tuple[Attempt, Notes]:
    """Return an attempt that began at time 0."""
    sink = Notes()
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    return Attempt(chat(body), Connection(), sink, a_stream, finished=finished, timeouts=timeouts, now=0.0), sink


def failure_of(attempt: Attempt) -> AttemptFailed:
    """Return why an attempt failed; it must have failed."""
    failed = attempt.finished.exception()
    assert isinstance(failed, AttemptFailed)
    return failed


async def test_a_whole_stream_succeeds() -> None:
    """The future is done when the answer has been passed on."""
    attempt, sink = an_attempt()
    attempt.head(200, EVENTS)
    attempt.body(LAST + DONE)
    attempt.done()
    assert attempt.finished.result() is None
    assert sink.is_ended


async def test_a_connection_lost_after_the_last_event_changes_nothing() -> None:
    """All had been said."""
    attempt, sink = an_attempt()
    attempt.head(200, EVENTS)
    attempt.body(LAST + DONE)
    attempt.failed(ConnectionFault("reset"))
    assert attempt.finished.result() is None
    assert sink.is_ended


@pytest.mark.parametrize("event", [b"", b": comment\n\n"])
async def test_a_loss_before_the_first_event_may_be_made_good(event: bytes) -> None:
    """Nothing of the answer has reached the caller."""
    attempt, _ = an_attempt()
    attempt.head(200, EVENTS)
    if event:
        attempt.body(event)
    attempt.failed(ConnectionFault("reset"))
    assert failure_of(attempt).verdict.is_retryable


async def test_a_loss_after_the_first_event_tells_what_has_left() -> None:
    """Another replica can only go on from there."""
    attempt, _ = an_attempt()
    attempt.head(200, EVENTS)
    attempt.body(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":null}]}\n\n')
    attempt.failed(ConnectionFault("reset"))
    failed = failure_of(attempt)
    assert isinstance(failed.verdict.error, ReplicaTruncated)
    assert failed.has_delivered
    assert failed.stream is not None


async def test_a_stale_connection_is_told_apart() -> None:
    """The request was never seen."""
    attempt, _ = an_attempt()
    attempt.failed(ConnectionFault("closed", is_stale=True))
    assert failure_of(attempt).is_stale


@pytest.mark.parametrize(("stream", "after_s", "is_late"), [(True, 9.9, False), (True, 10, True), (False, 99, False)])
async def test_the_first_token_has_its_time(stream: bool, after_s: float, is_late: bool) -> None:
    """Only a stream can be late with its first token; an answer in one piece has the time of the whole."""
    attempt, _ = an_attempt(b'{"model":"m","stream":%s}' % (b"true" if stream else b"false"))
    attempt.check(after_s)
    assert attempt.finished.done() is is_late
    if is_late:
        assert isinstance(failure_of(attempt).verdict.error, ReplicaSilent)
        assert failure_of(attempt).verdict.is_retryable


async def test_silence_is_counted_from_the_last_byte() -> None:
    """Each read begins the wait anew; a tick notices it."""
    attempt, _ = an_attempt()
    attempt.head(200, EVENTS)
    for second in range(1, 20):
        attempt.body(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":null}]}\n\n')
        attempt.check(float(second))
    assert not attempt.finished.done()
    attempt.check(23.9)
    assert not attempt.finished.done()
    attempt.check(24.0)
    assert failure_of(attempt).has_delivered


async def test_a_paused_stream_is_not_silent() -> None:
    """While the caller is slow, the replica is not to blame."""
    attempt, _ = an_attempt()
    attempt.head(200, EVENTS)
    attempt.pause()
    attempt.check(50)
    assert not attempt.finished.done()
    attempt.resume()
    attempt.check(59.9)
    assert not attempt.finished.done()
    attempt.check(60)
    assert attempt.finished.done()
    failure_of(attempt)


async def test_the_whole_has_its_time() -> None:
    """Even a lively stream ends some day; another replica would not be quicker."""
    attempt, _ = an_attempt()
    attempt.head(200, EVENTS)
    attempt.body(b": comment\n\n")
    attempt.check(100)
    assert not failure_of(attempt).verdict.is_retryable


async def test_a_caller_who_does_not_take_the_end_is_dropped() -> None:
    """It gets one look's time to take what it was told, and no more."""
    attempt, sink = an_attempt()
    attempt.check(100)
    assert not sink.is_dropped
    attempt.check(100.25)
    assert sink.is_dropped
    failure_of(attempt)


async def test_zero_switches_a_limit_off() -> None:
    """No limit, no end."""
    attempt, _ = an_attempt(timeouts=Timeouts(first_token_s=0, idle_s=0, total_s=0))
    attempt.check(1e9)
    assert not attempt.finished.done()


async def test_an_error_ends_it_with_a_verdict() -> None:
    """The replica's words are kept for the caller."""
    attempt, _ = an_attempt()
    attempt.head(400, JSON)
    attempt.body(b'{"error":{"message":"no","param":"n"}}')
    attempt.done()
    failed = failure_of(attempt)
    assert (failed.status, failed.verdict.passes, failed.verdict.error.param) == (400, True, "n")


@pytest.mark.parametrize("body", [b'{"model":"m","stream":true}', b'{"model":"m"}'])
async def test_nobody_waits_long_for_a_replica_that_stands_still(body: bytes) -> None:
    """It is known to answer nobody, whatever the time-outs are; another one may."""
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    attempt = Attempt(
        chat(body),
        Connection(),
        Notes(),
        a_stream,
        finished=finished,
        timeouts=TIMEOUTS,
        now=0.0,
        stands_still=lambda: True,
    )
    attempt.check(2.9)
    assert not finished.done()
    attempt.check(3.0)
    assert failure_of(attempt).verdict.is_retryable
