"""Tokens of those who are logged in."""

import pytest

from vllm_gateway.clock import HandClock
from vllm_gateway.edge.admin.ui.sessions import LASTS_S, Sessions

KEY = "the-admin-key-of-the-tests"


def test_a_token_is_good_for_a_working_day() -> None:
    """And not a second longer."""
    clock = HandClock()
    sessions = Sessions(KEY, clock)
    token = sessions.open().encode()
    clock.move(LASTS_S - 1)
    assert sessions.is_open(token)
    clock.move(1)
    assert not sessions.is_open(token)


def test_every_worker_knows_the_tokens_of_all() -> None:
    """Whoever has the same admin key; another key ends them all. No two tokens are the same, and none tells the key."""
    clock = HandClock()
    one, other = Sessions(KEY, clock), Sessions(KEY, clock)
    token = one.open()
    assert other.is_open(token.encode())
    assert not Sessions(KEY + "x", clock).is_open(token.encode())
    assert token != one.open()
    assert KEY not in token


@pytest.mark.parametrize("wrong", [b"", b".", b"..", b"x" * 300, b"9999999999.0.0", "9.é.é".encode()])
def test_nothing_else_is_a_token(wrong: bytes) -> None:
    """Whatever is in the cookie."""
    assert not Sessions(KEY, HandClock()).is_open(wrong)


def test_a_token_that_was_altered_is_none() -> None:
    """Neither its end nor its signature can be changed."""
    clock = HandClock()
    sessions = Sessions(KEY, clock)
    token = sessions.open().encode()
    end, rest = token.split(b".", 1)
    assert not sessions.is_open(b"%d.%b" % (int(end) + 1, rest))
    assert not sessions.is_open(token[:-1])
    assert not sessions.is_open(token + b"0")
