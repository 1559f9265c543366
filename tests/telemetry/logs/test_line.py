"""What the log says of a request."""

from tests.exchanges import exchange
from vllm_gateway.callers import Caller
from vllm_gateway.clock import HandClock
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.logs.line import Line, line_of
from vllm_gateway.telemetry.usage.record import record_of


def _over() -> Exchange:
    over = exchange()
    over.body = b'{"messages": "h\xc3\xa9llo"}'
    return over


def _line(over: Exchange, outcome: Outcome, *, text: bytes | None = None) -> Line:
    return line_of(record_of(over, outcome, HandClock(now=2.5)), caller=_name, text=text)


def _name(caller_id: str) -> str:
    return f"name of {caller_id}"


def test_a_line_says_who_what_where_and_how_it_ended() -> None:
    """Names and numbers; times in milliseconds."""
    over = _over()
    over.caller, over.model, over.replica, over.attempts, over.status = Caller("k1"), "a", "one", 2, 200
    over.usage = Usage(7, 9, cached_tokens=3)
    over.trail.queue_s, over.trail.first_token_at = 0.25, 1.5
    over.told = [(b"x-cache", b"miss")]
    line = _line(over, Outcome.OK_RETRIED)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert (line["timestamp"], line["level"], line["event"]) == ("2023-11-14T22:13:20.000Z", "info", "request")
    assert (line["request_id"], line["caller"], line["route"]) == ("request-1", "name of k1", "/v1/chat/completions")
    assert (line["model"], line["replica"], line["attempts"], line["resumed"]) == ("a", "one", 2, 0)
    assert (line["outcome"], line["status"], line["error"]) == ("ok_retried", 200, None)
    assert (line["prompt_tokens"], line["cached_tokens"], line["completion_tokens"]) == (7, 3, 9)
    assert (line["queue_ms"], line["ttft_ms"], line["duration_ms"]) == (250.0, 1500.0, 2500.0)
    assert line["cache"] == "miss"


def test_what_did_not_come_about_is_null() -> None:
    """A request that never got anywhere has the same fields."""
    line = _line(_over(), Outcome.CLIENT_GONE)
    assert line.keys() == _line(_over(), Outcome.OK).keys()
    assert [line[name] for name in ("caller", "model", "replica", "ttft_ms", "cache")] == [None] * 5


def test_nothing_of_what_is_said_is_told() -> None:
    """Unless it is asked for, and then no more than that, cut off between characters or not."""
    over = _over()
    assert "llo" not in str(_line(over, Outcome.OK))
    line = _line(over, Outcome.OK, text=over.body[:16])
    assert line["body"] == '{"messages": "h\ufffd'
