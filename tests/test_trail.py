"""How long the steps of an exchange took."""

import contextlib

from vllm_gateway.clock import HandClock
from vllm_gateway.trail import Call, Trace, Trail


def test_each_step_begins_where_the_one_before_ended() -> None:
    """All of them together are the time since the beginning."""
    clock = HandClock(now=10.0)
    trail = Trail(clock.now, 9.0)
    steps = [trail.step()]
    for seconds in (0.5, 0.25):
        clock.move(seconds)
        steps.append(trail.step())
    assert steps == [1.0, 0.5, 0.25]


def test_waits_are_added_up() -> None:
    """One that is broken off was a wait too."""
    clock = HandClock()
    trail = Trail(clock.now, 0.0)
    for seconds in (2.0, 3.0):
        with contextlib.suppress(KeyError), trail.waiting():
            clock.move(seconds)
            dict[str, int]()["nothing"]
        clock.move(100.0)
    assert trail.queue_s == 5.0


def test_a_replica_is_told_of_the_trace_and_the_callers_state() -> None:
    """Each call is a span of its own, and the replica's spans hang below that one."""
    trace = Trace(0xABC, 0x1, is_sampled=True, state=b"vendor=1")
    calls = [Call("r", "/v1/chat/completions", 0.0), Call("r", "/v1/chat/completions", 0.0)]
    told = [trace.told(call) for call in calls]
    assert told == [
        b"traceparent: 00-%032x-%016x-01\r\ntracestate: vendor=1\r\n" % (0xABC, call.span) for call in calls
    ]
    assert calls[0].span != calls[1].span


def test_a_trace_that_stays_here_is_told_to_nobody() -> None:
    """Its calls have spans all the same; what is not sampled says so."""
    call = Call("r", "/v1/chat/completions", 0.0)
    assert Trace(1, 0, is_sampled=True, goes_on=False).told(call) == b""
    assert call.span
    assert Trace(1, 0, is_sampled=False).told(call).endswith(b"-00\r\n")
