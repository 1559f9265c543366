"""What is kept of a request that is over."""

from dataclasses import replace

import pytest

from tests.exchanges import exchange
from vllm_gateway.callers import Caller
from vllm_gateway.clock import HandClock
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.usage.record import UsageRecord, record_of


def _served() -> Exchange:
    one = exchange(request_id="request-7", body=b'{"model":"tiny","messages":[{"role":"user","content":"canary"}]}')
    one.headers = [(b"authorization", b"Bearer canary")]
    one.target = one.address = "canary"
    one.caller = Caller("key-a", upstream_key=b"canary")
    one.asked = one.operation.read(b'{"model":"tiny","messages":[{"role":"user","content":"canary"}]}')
    one.model, one.replica, one.attempts, one.resumed, one.status = "tiny-1b", "gpu-1", 2, 1, 200
    one.usage = Usage(7, 5, 3)
    return one


def test_a_record_holds_who_asked_what_where_and_how_it_ended() -> None:
    """Times are those of the wall, so that they mean something to other machines."""
    clock = HandClock(wall=1000.0)
    clock.move(2.5)
    assert record_of(_served(), Outcome.OK_RESUMED, clock) == UsageRecord(
        request_id="request-7",
        path="/v1/chat/completions",
        started=1000.0,
        ended=1002.5,
        outcome="ok_resumed",
        status=200,
        caller="key-a",
        model_asked="tiny",
        model="tiny-1b",
        replica="gpu-1",
        attempts=2,
        resumed=1,
        prompt_tokens=7,
        completion_tokens=5,
        cached_tokens=3,
    )


def test_a_record_holds_what_the_log_says_beside_that() -> None:
    """What went wrong, what was asked for, how long it waited, and what was told of the cache."""
    one = _served()
    one.trail.error, one.trail.queue_s = "rate_limit_exceeded", 0.5
    one.told = [(b"x-cache", b"hit"), (b"age", b"3")]
    found = record_of(one, Outcome.REFUSED_LIMIT, HandClock())
    assert (found.error, found.is_stream, found.queue_s, found.cache) == ("rate_limit_exceeded", False, 0.5, "hit")
    assert type(found.outcome) is str


def test_nothing_that_was_said_is_kept() -> None:
    """Neither words, nor keys, nor addresses, nor the names of sessions."""
    assert "canary" not in repr(record_of(_served(), Outcome.OK, HandClock()))


def test_a_request_that_got_nowhere_has_a_record_too() -> None:
    """No caller, no model, no replica, no tokens."""
    found = record_of(exchange(), Outcome.BAD_REQUEST, HandClock())
    assert (found.caller, found.model_asked, found.model, found.replica) == (None, None, None, None)
    assert (found.attempts, found.prompt_tokens, found.completion_tokens, found.cached_tokens) == (0, 0, 0, 0)


@pytest.mark.parametrize(("fed", "tokens"), [(True, (4, 2)), (False, (0, 0))])
def test_a_stream_that_broke_off_counts_for_what_its_replica_told(*, fed: bool, tokens: tuple[int, int]) -> None:
    """What it has said last of the usage is what it has come to."""
    body = b'{"model":"tiny","stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}'
    one = exchange()
    one.asked = replace(one.operation.read(body), tells_usage=True)
    one.watch = one.asked.new_watch()
    if fed:
        one.watch.feed(
            b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
            b'data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}\n\n'
        )
    found = record_of(one, Outcome.CLIENT_GONE, HandClock())
    assert (found.prompt_tokens, found.completion_tokens) == tokens
