"""What to make of an answer that is not a 200."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchanges import OPERATIONS
from tests.recorded import Recording, recording, recordings
from vllm_gateway import codec
from vllm_gateway.errors import (
    GatewayError,
    KeyRefused,
    ModelUnknown,
    ReplicaFailed,
    ReplicaOverloaded,
    ReplicaRefused,
    ReplicaSilent,
    RouteUnsupported,
)
from vllm_gateway.exchange import Headers
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.verdicts import Verdict, callers_key_refused, judge, judge_event, judge_own

CHAT = OPERATIONS["/v1/chat/completions"]
REFUSED = b'{"error":{"message":"No.","type":"BadRequestError","param":"n","code":400}}'
NO_HEADERS: Headers = []
DATE = (b"date", b"Wed, 21 Oct 2026 07:28:00 GMT")


@pytest.mark.parametrize(
    ("status", "body", "error", "is_retryable", "sign", "passes"),
    [
        (400, REFUSED, ReplicaRefused, False, None, True),
        (422, REFUSED, ReplicaRefused, False, None, True),
        (400, b"<html>", ReplicaRefused, False, None, False),
        (400, b"", ReplicaRefused, False, None, False),
        (413, b"[]", ReplicaRefused, False, None, False),
        (429, REFUSED, ReplicaRefused, True, Sign.OVERLOADED, True),
        (408, REFUSED, ReplicaRefused, True, None, True),
        (501, REFUSED, ReplicaRefused, False, None, True),
        (401, b'{"error":"Unauthorized"}', ReplicaFailed, True, Sign.FAILED, False),
        (403, REFUSED, ReplicaFailed, True, Sign.FAILED, False),
        (500, REFUSED, ReplicaFailed, True, Sign.FAILED, False),
        (502, b"", ReplicaFailed, True, Sign.FAILED, False),
        (503, b"", ReplicaOverloaded, True, Sign.OVERLOADED, False),
        (504, b"", ReplicaSilent, True, Sign.FAILED, False),
        (599, b"", ReplicaFailed, True, Sign.FAILED, False),
        (302, b"", ReplicaFailed, True, Sign.FAILED, False),
        (204, b"", ReplicaFailed, True, Sign.FAILED, False),
        (404, b'{"detail":"Not Found"}', RouteUnsupported, True, None, False),
        (405, b'{"detail":"Method Not Allowed"}', RouteUnsupported, True, None, False),
        (404, b'{"detail":"Gone fishing"}', ReplicaRefused, False, None, False),
        (404, REFUSED, ReplicaRefused, False, None, True),
        (404, REFUSED.replace(b'"n"', b'"model"'), ModelUnknown, True, None, False),
    ],
)
def test_a_status_has_its_verdict(
    status: int, body: bytes, error: type[GatewayError], sign: Sign | None, *, is_retryable: bool, passes: bool
) -> None:
    """Whose fault it is, whether another may do better, and whether the replica's own words fit the caller."""
    verdict = judge(status, NO_HEADERS, body, CHAT)
    assert type(verdict.error) is error
    assert (verdict.is_retryable, verdict.sign, verdict.passes) == (is_retryable, sign, passes)
    assert verdict.lacks_route is (error is RouteUnsupported)


def test_a_callers_own_key_that_is_refused_is_the_callers_fault() -> None:
    """Nobody else is asked, and nothing is held against the replica."""
    verdict = callers_key_refused()
    assert type(verdict.error) is KeyRefused
    assert (verdict.is_retryable, verdict.sign, verdict.passes) == (False, None, False)


REFUSALS = [each for each in recordings() if each.status != 200 and each.path in OPERATIONS]


@pytest.mark.parametrize("call", REFUSALS, ids=lambda call: call.name)
def test_what_vllm_refused_is_refused(call: Recording) -> None:
    """Each recorded error is the request's fault, says nothing of the replica's health, and keeps its status."""
    operation = OPERATIONS[call.path]
    verdict = judge(call.status, NO_HEADERS, call.body, operation)
    assert verdict.sign is None
    if verdict.lacks_route:
        assert call.body in {b'{"detail":"Not Found"}', b'{"detail":"Method Not Allowed"}'}
        assert verdict.error.status == 501
    elif isinstance(verdict.error, ModelUnknown):
        assert call.name.endswith(("_wrong_model", "_wrong_model_stream"))
        assert verdict.is_retryable
    else:
        assert not verdict.is_retryable
        assert verdict.error.status == call.status
        assert verdict.error.message == codec.loads(call.body)["error"]["message"]
        assert verdict.passes is operation.dialect.is_fault(codec.loads(call.body))


WRONG_MODEL = [each.name for each in recordings() if "_wrong_model" in each.name and each.status == 404]


@pytest.mark.parametrize("name", WRONG_MODEL)
def test_a_model_that_a_replica_does_not_serve_is_asked_of_another(name: str) -> None:
    """On every route, whether or not vLLM names the field, it is no judgement of the request."""
    call = recording(name)
    verdict = judge(call.status, NO_HEADERS, call.body, OPERATIONS[call.path])
    assert isinstance(verdict.error, ModelUnknown)
    assert verdict.is_retryable
    assert "tiny-llama" not in verdict.error.message


def test_a_mistake_keeps_the_field_that_vllm_blamed() -> None:
    """The caller's client shows it, also where the error is written anew."""
    call = recording("messages_no_max_tokens")
    verdict = judge(call.status, NO_HEADERS, call.body, OPERATIONS[call.path])
    assert verdict.error.param == "body.max_tokens"
    assert not verdict.passes


@pytest.mark.parametrize(
    ("status", "headers", "retry_after_s"),
    [
        (429, [(b"retry-after", b"7")], 7),
        (429, [(b"date", b"x"), (b"retry-after", b"7")], 7),
        (429, [], 1),
        (429, [(b"retry-after", b"-1")], 1),
        (429, [(b"retry-after", b"Thu, 99 Oct")], 1),
        (429, [(b"retry-after", b"\xff")], 1),
        (429, [(b"retry-after", b"Wed, 21 Oct 2026 07:28:09 GMT"), DATE], 9),
        (429, [(b"retry-after", b"Wednesday, 21-Oct-26 07:28:09 GMT"), DATE], 9),
        (429, [DATE, (b"retry-after", b"Wed, 21 Oct 2026 07:28:09 -0000")], 9),
        (429, [DATE, (b"retry-after", b"Wed, 21 Oct 2026 07:27:00 GMT")], 0),
        (429, [DATE, (b"retry-after", b"Wed, 21 Oct 2026 09:28:00 GMT")], 120),
        (503, [DATE, (b"retry-after", b"0")], 0),
        (429, [(b"retry-after", b"86400")], 120),
        (429, [(b"retry-after", b"9" * 400)], 120),
        (503, [(b"retry-after", b"7")], 7),
        (503, [], 1),
        (503, [(b"retry-after", b"soon")], 1),
        (400, [], None),
        (408, [(b"retry-after", b"7")], 7),
    ],
)
def test_the_time_to_wait_is_kept_within_reason(status: int, headers: Headers, retry_after_s: float | None) -> None:
    """Seconds pass, up to what clients heed; an overloaded replica that says nothing means a second."""
    assert judge(status, headers, REFUSED, CHAT).error.retry_after_s == retry_after_s


@pytest.mark.parametrize("status", [401, 403, 500, 502, 503, 504])
def test_a_failing_replicas_words_stay_here(status: int) -> None:
    """A stack trace or a host name in them is nobody's business outside."""
    secret = b'{"error":{"message":"Traceback at 10.0.0.7","param":null}}'
    verdict = judge(status, NO_HEADERS, secret, CHAT)
    assert "10.0.0.7" not in verdict.error.message
    assert not verdict.passes


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            b'{"error":{"message":"Too long.","type":"BadRequestError","param":"max_tokens","code":400}}',
            (ReplicaRefused, 400, "Too long.", "max_tokens", False, None),
        ),
        (
            b'{"error":{"message":"Boom at 10.0.0.7","code":500}}',
            (ReplicaFailed, 502, "The model server failed while it was answering.", None, True, Sign.FAILED),
        ),
        (b"[DONE]", (ReplicaFailed, 502, "The model server failed while it was answering.", None, True, Sign.FAILED)),
        (
            b'{"type":"error","error":{"type":"api_error","message":"No."}}',
            (ReplicaFailed, 502, "The model server failed while it was answering.", None, True, Sign.FAILED),
        ),
        (
            b'{"error":{"code":"400","message":"No."}}',
            (ReplicaFailed, 502, "The model server failed while it was answering.", None, True, Sign.FAILED),
        ),
        (
            b'{"error":{"code":400}}',
            (ReplicaFailed, 502, "The model server failed while it was answering.", None, True, Sign.FAILED),
        ),
    ],
)
def test_an_error_event_is_judged_by_its_code(event: bytes, expected: tuple[object, ...]) -> None:
    """With a 4xx in it the request was wrong; anything else is the replica's failure, and its words stay here."""
    verdict = judge_event(event)
    error = verdict.error
    assert (
        type(error),
        error.status,
        error.message,
        error.param,
        verdict.is_retryable,
        verdict.sign,
    ) == expected


@given(st.integers(100, 599), st.binary(max_size=30) | st.sampled_from([REFUSED, b'{"error":[]}', b'{"detail":[{}]}']))
def test_every_answer_gets_a_verdict(status: int, body: bytes) -> None:
    """Whatever a replica says, the caller gets an error status with a sentence."""
    verdict: Verdict = judge(status, [(b"retry-after", body)], body, CHAT)
    assert 400 <= verdict.error.status < 600
    assert verdict.error.message
    assert judge_event(body).error.message


def test_an_answer_to_a_question_of_our_own_is_judged_alike() -> None:
    """Its headers tell when to ask again."""
    verdict = judge_own(429, [(b"retry-after", b"3")], REFUSED, "/tokenize")
    assert (type(verdict.error), verdict.error.retry_after_s) == (ReplicaRefused, 3)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("headers", "asked_s"), [([(b"retry-after", b"7")], 7.0), ([], None)])
def test_an_overloaded_replica_is_not_ill(status: int, headers: Headers, asked_s: float | None) -> None:
    """Another one may have room; for how long this one asked to be left alone is known, if it said so."""
    verdict = judge(status, headers, REFUSED, CHAT)
    assert verdict.is_overload
    assert verdict.is_retryable
    assert verdict.sign not in {Sign.FAILED, Sign.UNREACHABLE}
    assert verdict.retry_after_s == asked_s
    assert not judge(500, headers, REFUSED, CHAT).is_overload


def test_a_date_without_another_date_is_held_against_our_own_clock() -> None:
    """A replica that tells no time of its own is taken to have ours."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True).encode()
    asked_s = judge(503, [(b"retry-after", soon)], b"", CHAT).retry_after_s
    assert asked_s is not None
    assert 25 < asked_s <= 30


TOO_LONG = [
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4900 in the messages).",
    "This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens.",
    "'max_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your request has 10.",
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
    "max_tokens=5000 cannot be greater than max_model_len=4096. Please request fewer output tokens.",
    "You passed 5001 input tokens. However, the model's context length is only 4096 tokens.",
    "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
    "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
]


@pytest.mark.parametrize("message", TOO_LONG)
def test_a_request_beyond_the_context_is_told_from_other_mistakes(message: str) -> None:
    """Whatever version words it, before the stream or in it; the replica's own words still fit the caller."""
    body = codec.dumps({"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}})
    verdict = judge(400, NO_HEADERS, body, CHAT)
    assert verdict.is_context_length
    assert (verdict.is_retryable, verdict.sign, verdict.passes) == (False, None, True)
    assert judge_event(body).is_context_length


def test_the_code_alone_tells_of_the_context_too() -> None:
    """Servers that are not vLLM name it there."""
    body = b'{"error":{"message":"Too much.","type":"invalid_request_error","code":"context_length_exceeded"}}'
    assert judge(400, NO_HEADERS, body, CHAT).is_context_length


def test_a_recorded_prompt_beyond_the_context_is_recognized() -> None:
    """As a real vLLM said it."""
    call = recording("chat_prompt_over_context")
    assert judge(call.status, NO_HEADERS, call.body, CHAT).is_context_length


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "temperature must be non-negative, got -1."),
        (400, "The response was filtered due to the prompt triggering a content management policy."),
        (403, "maximum context length"),
        (429, "maximum context length"),
        (500, "maximum context length"),
    ],
)
def test_other_mistakes_have_nothing_to_do_with_the_context(status: int, message: str) -> None:
    """A larger model would not make them good."""
    body = codec.dumps({"error": {"message": message, "type": "BadRequestError", "param": None, "code": status}})
    assert not judge(status, NO_HEADERS, body, CHAT).is_context_length
