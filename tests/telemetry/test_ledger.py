"""Every exchange is opened once and closed once."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchanges import exchange
from vllm_gateway.clock import HandClock
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.usage.record import UsageRecord, record_of


def test_an_exchange_is_live_from_its_opening_to_its_close() -> None:
    """Whoever drains the gateway sees what is still under way."""
    ledger = Ledger(HandClock())
    one = exchange()
    assert not ledger.live
    ledger.open(one)
    assert list(ledger.live.values()) == [one]
    assert one.outcome is None
    ledger.close(one, Outcome.OK)
    assert not ledger.live
    assert one.outcome is Outcome.OK


def test_closing_twice_counts_once() -> None:
    """The first outcome stands, whoever comes later."""
    ledger = Ledger(HandClock())
    one = exchange()
    ledger.open(one)
    ledger.close(one, Outcome.CLIENT_GONE)
    ledger.close(one, Outcome.INTERNAL_ERROR)
    assert one.outcome is Outcome.CLIENT_GONE
    assert ledger.outcomes == {Outcome.CLIENT_GONE: 1}


def test_what_was_never_opened_is_not_counted() -> None:
    """The counts add up to the exchanges."""
    ledger = Ledger(HandClock())
    ledger.close(exchange(), Outcome.OK)
    assert not ledger.outcomes


def test_the_same_id_twice_is_two_exchanges() -> None:
    """Callers choose ids, and may choose them badly."""
    ledger = Ledger(HandClock())
    twins = [exchange(request_id="same-id-1"), exchange(request_id="same-id-1")]
    for twin in twins:
        ledger.open(twin)
    assert len(ledger.live) == 2
    ledger.close(twins[0], Outcome.OK)
    assert list(ledger.live.values()) == [twins[1]]


@given(st.lists(st.sampled_from(Outcome), max_size=30), st.integers(0, 5))
def test_outcomes_add_up(outcomes: list[Outcome], still_live: int) -> None:
    """Every exchange that was opened is live or has one outcome."""
    ledger = Ledger(HandClock())
    opened = [exchange() for _ in range(len(outcomes) + still_live)]
    for each in opened:
        ledger.open(each)
    for each, outcome in zip(opened, outcomes, strict=False):
        ledger.close(each, outcome)
    assert ledger.outcomes.total() + len(ledger.live) == len(opened)
    assert ledger.outcomes.total() == len(outcomes)


def test_an_exchange_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """At the level of debugging, when it is over; a body never shows."""
    clock = HandClock(now=0.0)
    ledger = Ledger(clock)
    one = exchange(body=b'{"secret": 1}', request_id="request-7")
    one.status, one.model, one.replica, one.attempts, one.usage = 200, "tiny", "tiny-1", 2, Usage(7, 8)
    with caplog.at_level(logging.DEBUG):
        ledger.open(one)
        clock.move(0.25)
        ledger.close(one, Outcome.OK_RETRIED)
    (line,) = caplog.messages
    assert line.startswith("request-7 /v1/chat/completions: ok_retried, status 200, model 'tiny', replica tiny-1, ")
    assert line.endswith("attempts 2, tokens 7+8, 250.0 ms")


def test_an_exchange_that_got_nowhere_can_be_told_too(caplog: pytest.LogCaptureFixture) -> None:
    """No replica, no model, no tokens."""
    ledger = Ledger(HandClock())
    one = exchange()
    with caplog.at_level(logging.DEBUG):
        ledger.open(one)
        ledger.close(one, Outcome.BAD_REQUEST)
    assert "bad_request, status 0, model None, replica none, attempts 0, tokens unknown" in caplog.text


def test_nothing_is_told_above_debugging(caplog: pytest.LogCaptureFixture) -> None:
    """A line for each request is not for everyday."""
    ledger = Ledger(HandClock())
    one = exchange()
    with caplog.at_level(logging.INFO):
        ledger.open(one)
        ledger.close(one, Outcome.OK)
    assert not caplog.records


def test_those_who_want_to_know_are_told_once() -> None:
    """One record for each exchange, when it is over; those who came to the ledger late hear what ends after it."""
    clock = HandClock()
    ledger = Ledger(clock)
    told: list[UsageRecord] = []
    first, second = exchange(request_id="request-1"), exchange(request_id="request-2")
    for each in (first, second):
        ledger.open(each)
    ledger.close(first, Outcome.OK)
    ledger.told.append(told.append)
    for _ in range(2):
        ledger.close(first, Outcome.OK)
        ledger.close(second, Outcome.TIMEOUT)
    assert told == [record_of(second, Outcome.TIMEOUT, clock)]


def test_those_who_measure_see_an_exchange_once() -> None:
    """With its outcome, when it is over and not under way any more."""
    ledger = Ledger(HandClock())
    seen: list[tuple[Exchange, str, int]] = []
    ledger.seen.append(lambda exchange, record: seen.append((exchange, record.outcome, len(ledger.live))))
    one = exchange()
    ledger.open(one)
    assert not seen
    for _ in range(2):
        ledger.close(one, Outcome.TIMEOUT)
    assert seen == [(one, Outcome.TIMEOUT, 0)]
