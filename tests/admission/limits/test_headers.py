"""What callers are told of their limits."""

import math

import pytest

from tests.admission.limits.wishes import budget, per_minute, per_second, slots, tokens
from vllm_gateway.admission.limits.headers import Telling, duration, refusal
from vllm_gateway.admission.limits.limiter import Reserved
from vllm_gateway.admission.limits.meters import Meter
from vllm_gateway.edge.telling import headers_of
from vllm_gateway.errors import BudgetSpent

WALL = 1_700_000_000.0


def test_openai_s_names() -> None:
    """Of requests and of tokens, with the time as OpenAI writes it."""
    reserved = Reserved(((59, 1.0), (900, 6.0)))
    assert dict(headers_of(Telling([per_minute(60), tokens(1000)]).openai(reserved))) == {
        b"x-ratelimit-limit-requests": b"60",
        b"x-ratelimit-remaining-requests": b"59",
        b"x-ratelimit-reset-requests": b"1s",
        b"x-ratelimit-limit-tokens": b"1000",
        b"x-ratelimit-remaining-tokens": b"900",
        b"x-ratelimit-reset-tokens": b"6s",
        b"ratelimit-policy": b'"requests";q=60;w=60, "tokens";q=1000;w=60',
        b"ratelimit": b'"requests";r=59;t=1, "tokens";r=900;t=6',
    }


def test_anthropic_s_names() -> None:
    """With the time of the clock."""
    told = dict(headers_of(Telling([per_minute(60)]).anthropic(Reserved(((59, 1.5),)), WALL)))
    assert told[b"anthropic-ratelimit-requests-limit"] == b"60"
    assert told[b"anthropic-ratelimit-requests-remaining"] == b"59"
    assert told[b"anthropic-ratelimit-requests-reset"] == b"2023-11-14T22:13:22Z"
    assert b"x-ratelimit-limit-requests" not in told


def test_a_time_beyond_all_calendars_is_told_as_a_far_one() -> None:
    """A replica that says it has used absurdly many tokens makes nobody's answer an error of the gateway."""
    told = dict(headers_of(Telling([tokens(1)]).anthropic(Reserved(((0, 6e19),)), WALL)))
    assert told[b"anthropic-ratelimit-tokens-reset"].startswith(b"3")


def test_the_tightest_limit_is_told() -> None:
    """That of which the smallest part is left."""
    telling = Telling([per_second(2), per_minute(60)])
    for left, limit in (((1, 0.5), (59, 1.0)), b"2"), (((2, 0.0), (3, 57.0)), b"60"), (((1, 0.5), (59, 1.0)), b"2"):
        for told in (telling.openai(Reserved(left)), telling.anthropic(Reserved(left), WALL)):
            assert b"requests: %b\r\n" % limit in told or b"requests-limit: %b\r\n" % limit in told
            assert b'"requests";q=%b;' % limit in told


def test_slots_have_no_headers() -> None:
    """Nobody has a name for them."""
    assert Telling([slots(2)]).openai(Reserved(((1, 0.0),))) == b""


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0, "0s"), (0.02, "20ms"), (0.9996, "1s"), (1.0, "1s"), (1.2, "2s"), (360.0, "6m0s"), (3605.0, "1h0m5s")],
)
def test_durations(seconds: float, written: str) -> None:
    """None is shorter than what is meant."""
    assert duration(seconds) == written


@pytest.mark.parametrize(
    ("meter", "sentence"),
    [
        (per_minute(60), "This key may send 60 requests per minute. Try again in 2s."),
        (per_second(1, "ip:::1"), "Your address may send 1 request per second. Try again in 2s."),
        (
            tokens(9, "model:m"),
            "All callers together may use 9 tokens of the model `m` per minute. Try again in 2s.",
        ),
        (slots(4, "all"), "All callers together may have 4 requests under way at the same time. Try again in 2s."),
    ],
)
def test_a_limit_is_told_in_one_sentence(meter: Meter, sentence: str) -> None:
    """Who may do how much, and when to come back."""
    error = refusal(Reserved(((0, 2.0),), 0, 2.0), [meter], 5)
    assert error.message == sentence
    assert error.retry_after_s == 2.0


def test_a_spent_budget_is_told_with_what_is_left() -> None:
    """The day's end is when to come back."""
    error = refusal(Reserved(((7, 60.0),), 0, 60.0), [budget(100)], 50)
    assert isinstance(error, BudgetSpent)
    assert error.message == (
        "This key may use 100 tokens per day; 7 are left, and this request may come to 50."
        " Try again after midnight UTC."
    )


def test_a_request_that_never_fits_is_told_so() -> None:
    """With both numbers, no time to come back, and a word to the libraries."""
    reserved = Reserved(((1000, 0.0),), 0, math.inf)
    error = refusal(reserved, [tokens(1000)], 5000)
    assert error.message == (
        "This request may come to 5,000 tokens, but this key may use 1,000 tokens per minute. Ask for less."
    )
    assert error.retry_after_s is None
    telling = Telling([tokens(1000)])
    for told in (telling.openai(reserved), telling.anthropic(reserved, WALL)):
        assert told.endswith(b"\r\nx-should-retry: false\r\n")


def test_who_was_let_in_is_not_refused() -> None:
    """To ask for the error of nothing is a mistake."""
    with pytest.raises(ValueError, match="let in"):
        refusal(Reserved(((1, 0.0),)), [per_minute(1)], 0)
