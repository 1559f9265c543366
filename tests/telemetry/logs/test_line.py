"""What the log says of a request."""

from tests.exchanges import exchange
from vllm_gateway.callers import Caller
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.logs.line import line_of
from vllm_gateway.trail import Trail


def _over(at: float = 2.5) -> Exchange:
    over = exchange(body=b'{"messages": "h\xc3\xa9llo"}')
    over.trail = Trail(now=lambda: at)
    over.body = b'{"messages": "h\xc3\xa9llo"}'
    return over


def _name(caller_id: str) -> str:
    return f"name of {caller_id}"


def test_a_line_says_who_what_where_and_how_it_ended() -> None:
    """Names and numbers; times in milliseconds."""
    over = _over()
    over.caller, over.model, over.replica, over.attempts, over.status = Caller("k1"), "a", "one", 2, 200
    over.usage = Usage(7, 9, cached_tokens=3)
    over.trail.queue_s, over.trail.first_token_at = 0.25, 1.5
    over.told = [(b"x-cache", b"miss")]
    line = line_of(over, Outcome.OK_RETRIED, caller=_name)
    assert line["event"] == "request"
    assert (line["request_id"], line["caller"], line["route"]) == ("request-1", "name of k1", "/v1/chat/completions")
    assert (line["model"], line["replica"], line["attempts"], line["resumed"]) == ("a", "one", 2, 0)
    assert (line["outcome"], line["status"], line["error"]) == ("ok_retried", 200, None)
    assert (line["prompt_tokens"], line["cached_tokens"], line["completion_tokens"]) == (7, 3, 9)
    assert (line["queue_ms"], line["ttft_ms"], line["duration_ms"]) == (250.0, 1500.0, 2500.0)
    assert line["cache"] == "miss"


def test_what_did_not_come_about_is_null() -> None:
    """A request that never got anywhere has the same fields."""
    line = line_of(_over(), Outcome.CLIENT_GONE, caller=_name)
    assert line.keys() == line_of(_over(), Outcome.OK, caller=_name).keys()
    assert [line[name] for name in ("caller", "model", "replica", "ttft_ms", "cache")] == [None] * 5


def test_nothing_of_what_is_said_is_told() -> None:
    """Unless it is asked for, and then no more than that, cut off between characters or not."""
    assert "llo" not in str(line_of(_over(), Outcome.OK, caller=_name))
    line = line_of(_over(), Outcome.OK, caller=_name, text_bytes=16)
    assert line["body"] == '{"messages": "h\ufffd'
