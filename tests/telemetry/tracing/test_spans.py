"""The spans of a request that is over."""

import pytest

from tests.exchanges import exchange
from vllm_gateway.callers import Caller
from vllm_gateway.clock import HandClock
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.tracing.spans import Kind, Span, spans_of, story_of
from vllm_gateway.trail import Call, Trace, Trail

CHAT = "/v1/chat/completions"
BODY = (
    b'{"model":"tiny","messages":[{"role":"user","content":"secret words"}],"stop":["secret stop"],'
    b'"temperature":0,"top_p":0.5,"max_tokens":16,"n":true,"seed":"secret seed","user":"secret user"}'
)
TRACE = Trace(7, 8, is_sampled=True, span=9)
WALL = 1000.0


def over(*calls: Call, body: bytes = BODY) -> Exchange:
    """Return an exchange that began at 1 and is over at 10, after these calls."""
    one = exchange(body=body)
    one.started, one.body = 1.0, body
    one.asked = one.operation.read(body)
    one.caller, one.model, one.usage, one.status = Caller("key-1"), "tiny-4b", Usage(100, 20, 64), 200
    one.attempts, one.replica = len(calls), calls[-1].replica if calls else None
    one.trail = Trail(HandClock(now=10.0).now, auth_s=0.001, first_token_at=6.0, calls=list(calls))
    return one


def told(one: Exchange, outcome: Outcome = Outcome.OK, *, content_bytes: int = 0) -> list[Span]:
    """Return its spans."""
    return spans_of(story_of(one, outcome, TRACE, caller="app", content_bytes=content_bytes), wall=WALL)


FAILED = Call("gpu-1", CHAT, 2.0, span=21, connected_at=2.5, ended=3.0, result="upstream_error", status=500)
ANSWERED = Call("gpu-2", CHAT, 4.0, span=22, connected_at=4.25, ended=9.5, result="ok", status=200)


def test_a_request_is_a_span_with_the_model_below_it_and_the_calls_below_that() -> None:
    """All at their times, and each below the right one."""
    server, model, *calls = told(over(FAILED, ANSWERED), Outcome.OK_RETRIED)
    assert (server.name, server.kind, server.id, server.parent) == (f"POST {CHAT}", Kind.SERVER, 9, 8)
    assert (model.name, model.kind, model.parent) == ("chat tiny", Kind.CLIENT, 9)
    assert [(call.name, call.kind, call.id, call.parent) for call in calls] == [
        ("POST", Kind.CLIENT, 21, model.id),
        ("POST", Kind.CLIENT, 22, model.id),
    ]
    times = [(span.began - WALL, span.ended - WALL) for span in (server, model, *calls)]
    assert times == [(1.0, 10.0), (2.0, 10.0), (2.0, 3.0), (4.0, 9.5)]
    assert [span.is_error for span in (server, model, *calls)] == [False, False, True, False]


def test_spans_tell_what_was_asked_and_what_it_came_to() -> None:
    """In OpenTelemetry's names; what has the wrong type is no wish."""
    server, model, failed, answered = (span.attributes for span in told(over(FAILED, ANSWERED)))
    assert server["http.route"] == CHAT
    assert (server["http.response.status_code"], server["gateway.caller"]) == (200, "app")
    assert (server["gateway.outcome"], server["gateway.attempts"], server["gateway.auth_s"]) == ("ok", 2, 0.001)
    assert (model["gen_ai.operation.name"], model["gen_ai.provider.name"]) == ("chat", "vllm")
    assert (model["gen_ai.request.model"], model["gen_ai.response.model"]) == ("tiny", "tiny-4b")
    assert (model["gen_ai.request.temperature"], model["gen_ai.request.top_p"]) == (0.0, 0.5)
    assert model["gen_ai.request.max_tokens"] == 16
    assert (model["gen_ai.usage.input_tokens"], model["gen_ai.usage.output_tokens"]) == (100, 20)
    assert model["gen_ai.usage.cache_read.input_tokens"] == 64
    assert model["gen_ai.response.time_to_first_chunk"] == 4.0
    assert not {"gen_ai.request.seed", "gen_ai.request.choice.count"} & set(model)
    assert (failed["error.type"], failed["http.response.status_code"]) == ("upstream_error", 500)
    assert (answered["gateway.replica"], answered["http.request.resend_count"]) == ("gpu-2", 1)


def test_nothing_that_was_said_is_told_unless_it_is_asked_for() -> None:
    """Then the beginning of the body, and not one byte more."""
    assert "secret" not in repr(told(over(ANSWERED)))
    shown = told(over(ANSWERED), content_bytes=60)[1].attributes["gen_ai.input.messages"]
    assert shown == BODY[:60].decode()
    long = b'{"model":"tiny","messages":[{"role":"user","content":"' + b"x" * 5000 + b'"}]}'
    content = told(over(ANSWERED, body=long), content_bytes=4000)[1].attributes["gen_ai.input.messages"]
    assert content == long[:4000].decode()


def test_a_request_that_reached_no_replica_is_one_span() -> None:
    """A refusal is no error of the server."""
    one = over()
    one.status, one.trail.error = 429, "rate_limit_exceeded"
    (server,) = told(one, Outcome.REFUSED_LIMIT)
    assert (server.is_error, server.attributes["error.type"]) == (False, "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("outcome", "status", "error", "is_error"),
    [
        (Outcome.OK, 200, "", False),
        (Outcome.CLIENT_GONE, 0, "", False),
        (Outcome.BAD_REQUEST, 400, "invalid_value", False),
        (Outcome.TIMEOUT, 504, "upstream_timeout", True),
        (Outcome.UPSTREAM_TRUNCATED, 200, "upstream_interrupted", True),
        (Outcome.INTERNAL_ERROR, 500, "internal_error", True),
    ],
)
def test_what_went_wrong_here_is_an_error(outcome: Outcome, status: int, error: str, is_error: bool) -> None:
    """What callers did wrong is none of the gateway's."""
    one = over(ANSWERED)
    one.status, one.trail.error = status, error
    assert told(one, outcome)[0].is_error is is_error


def test_a_call_that_goes_on_ends_with_its_request() -> None:
    """Its answer is for others who asked the same; this request knows no more of it."""
    one = over(Call("gpu-1", CHAT, 4.0))
    call = told(one, Outcome.CLIENT_GONE)[-1]
    assert call.ended - WALL == 10.0
    assert call.id


def test_a_long_text_is_cut() -> None:
    """A model may be called anything."""
    body = b'{"model":"' + b"m" * 5000 + b'","messages":[]}'
    model = told(over(ANSWERED, body=body))[1]
    assert len(str(model.attributes["gen_ai.request.model"])) == 256
