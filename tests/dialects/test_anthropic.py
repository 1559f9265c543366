"""Anthropic's shapes."""

from typing import Any

import anthropic
import httpx2
import pytest

from tests.recorded import recording
from vllm_gateway import codec
from vllm_gateway.dialects.anthropic import Anthropic, sight_event
from vllm_gateway.dialects.sse import Sighting
from vllm_gateway.errors import (
    BodyTooLarge,
    FieldInvalid,
    GatewayError,
    IdempotencyConflict,
    InternalFault,
    MediaTypeWrong,
    MethodWrong,
    ModelForbidden,
    ModelUnknown,
    ReplicaOverloaded,
    ReplicaRefused,
    ReplicaSilent,
    ReplicaTruncated,
)
from vllm_gateway.exchange import Usage

UNKNOWN = ModelUnknown("No model server offers the model 'x'.", param="model")
BROKEN = ReplicaTruncated("The model server's answer broke off before its end.")
ASKED: dict[str, Any] = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}


def client_of(reply: httpx2.Response) -> anthropic.Anthropic:
    """Return Anthropic's own client, in front of a server that always gives this reply."""
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: reply))
    return anthropic.Anthropic(api_key="k", base_url="http://gateway", http_client=http, max_retries=0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FieldInvalid("No.", param="stream"), "invalid_request_error"),
        (ReplicaRefused("Who?", status=401, param=None), "authentication_error"),
        (ModelForbidden("No."), "permission_error"),
        (UNKNOWN, "not_found_error"),
        (MethodWrong("No.", allowed="POST"), "invalid_request_error"),
        (BodyTooLarge("No."), "request_too_large"),
        (MediaTypeWrong("No."), "invalid_request_error"),
        (IdempotencyConflict(), "invalid_request_error"),
        (ReplicaRefused("Slower.", status=429, param=None), "rate_limit_error"),
        (ReplicaOverloaded("Later."), "overloaded_error"),
        (ReplicaSilent("Nothing."), "timeout_error"),
        (BROKEN, "api_error"),
        (InternalFault("Oh."), "api_error"),
    ],
)
def test_a_fault_has_anthropics_shape(error: GatewayError, kind: str) -> None:
    """A type, a type and a message inside, and the id; the gateway's own reader takes it for an error too."""
    fault = codec.loads(Anthropic().fault(error, "id-1"))
    assert fault == {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": "id-1"}
    assert Anthropic().is_fault(fault)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (UNKNOWN, anthropic.NotFoundError),
        (FieldInvalid("No."), anthropic.BadRequestError),
        (BodyTooLarge("No."), anthropic.RequestTooLargeError),
        (ReplicaRefused("Slower.", status=429, param=None), anthropic.RateLimitError),
        (ReplicaOverloaded("Later."), anthropic.ServiceUnavailableError),
        (BROKEN, anthropic.InternalServerError),
    ],
)
def test_anthropics_client_raises_what_its_users_expect(
    error: GatewayError, raised: type[anthropic.APIStatusError]
) -> None:
    """It reads the sentence and the id of the request out of the reply."""
    dialect = Anthropic()
    content = dialect.fault(error, "id-1")
    reply = httpx2.Response(error.status, headers=dialect.reply_headers("id-1"), content=content)
    with client_of(reply) as client, pytest.raises(raised) as caught:
        client.messages.create(**ASKED)
    assert error.message in caught.value.message
    assert caught.value.request_id == "id-1"
    assert caught.value.body == codec.loads(content)


def test_anthropics_client_raises_on_the_event_that_ends_a_broken_stream() -> None:
    """What came before it is given to the user, and no end is invented."""
    started = recording("messages_stream").events[0]
    reply = httpx2.Response(
        200,
        headers={"content-type": "text/event-stream"},
        content=started + Anthropic().fault_event(BROKEN, "id-1"),
    )
    events: list[object] = []
    with client_of(reply) as client, pytest.raises(anthropic.APIStatusError, match="broke off"):
        events.extend(client.messages.create(stream=True, **ASKED))
    assert len(events) == 1


def test_an_error_event_is_one_event() -> None:
    """It has its name, ends with a blank line and holds no other, whatever the sentence says."""
    event = Anthropic().fault_event(FieldInvalid("Two\n\nlines."), "id-1")
    assert event.startswith(b'event: error\ndata: {"type":"error"')
    assert event.endswith(b"\n\n")
    assert event.count(b"\n\n") == 1


@pytest.mark.parametrize(
    ("value", "is_fault"),
    [
        (codec.loads(recording("messages_wrong_model").body), True),
        (codec.loads(recording("messages_empty").body), True),
        (codec.loads(recording("messages_malformed_json").body), False),
        ({"error": {"message": "No."}}, False),
        ({"type": "error", "error": "No."}, False),
        ({"type": "error", "error": {"message": 3}}, False),
        ("error", False),
    ],
)
def test_only_an_error_that_a_client_can_read_passes_for_one(value: object, *, is_fault: bool) -> None:
    """Some mistakes on this route come back in OpenAI's shape; those must be written anew."""
    assert Anthropic().is_fault(value) is is_fault


@pytest.mark.parametrize(
    ("event", "sighting"),
    [
        ({"type": "message_start", "message": {"stop_reason": None}}, Sighting()),
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}, Sighting()),
        ({"type": "message_delta", "delta": {"stop_reason": None}}, Sighting()),
        ({"type": "message_delta", "delta": None}, Sighting()),
        (
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
            Sighting(finished=(0,), usage=Usage(0, 2)),
        ),
        ({"type": "message_stop"}, Sighting(is_end=True)),
        ({"type": "error", "error": {"message": "No."}}, Sighting(is_broken=True)),
        ({"error": {"message": "No."}}, Sighting(is_broken=True)),
    ],
)
def test_an_event_tells_by_its_type(event: dict[str, Any], sighting: Sighting) -> None:
    """A stop reason ends the answer, `message_stop` the stream, an error both."""
    assert sight_event(event) == sighting


def test_the_usage_of_a_recorded_message_is_read() -> None:
    """Input and output tokens, at the top of the answer."""
    assert Anthropic().usage(recording("messages").body) == Usage(7, 8)
    assert Anthropic().usage(recording("messages_wrong_model").body) is None


def test_the_reply_carries_the_id_of_the_request_twice() -> None:
    """Anthropic's client reads one name, people look for the other."""
    assert Anthropic().reply_headers("id-1") == [(b"x-request-id", b"id-1"), (b"request-id", b"id-1")]
