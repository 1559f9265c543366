"""OpenAI's shapes."""

from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recorded import recording
from vllm_gateway import codec
from vllm_gateway.dialects.openai import (
    OpenAI,
    OpenAIResponses,
    sight_chunk,
    sight_response_event,
    usage_in,
    usage_of,
)
from vllm_gateway.dialects.sse import Sighting
from vllm_gateway.errors import (
    FieldInvalid,
    GatewayError,
    ModelForbidden,
    ModelUnknown,
    ReplicaRefused,
    ReplicasUnusable,
    ReplicaTruncated,
)
from vllm_gateway.exchange import Usage

UNKNOWN = ModelUnknown("No model server offers the model 'x'.", param="model")
BROKEN = ReplicaTruncated("The model server's answer broke off before its end.")


def client_of(reply: httpx2.Response) -> openai.OpenAI:
    """Return OpenAI's own client, in front of a server that always gives this reply."""
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: reply))
    return openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=http, max_retries=0)


def fault_reply(error: GatewayError) -> httpx2.Response:
    """Return an error as it goes over the wire."""
    dialect = OpenAI()
    return httpx2.Response(error.status, headers=dialect.reply_headers("id-1"), content=dialect.fault(error, "id-1"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UNKNOWN, {"type": "not_found_error", "param": "model", "code": "model_not_found"}),
        (
            FieldInvalid("No.", param="stream"),
            {"type": "invalid_request_error", "param": "stream", "code": "invalid_value"},
        ),
        (ModelForbidden("No."), {"type": "permission_error", "param": None, "code": "model_not_allowed"}),
        (
            ReplicaRefused("Slower.", status=429, param=None),
            {"type": "rate_limit_error", "param": None, "code": "refused_by_model_server"},
        ),
        (
            ReplicaRefused("Who?", status=401, param=None),
            {"type": "authentication_error", "param": None, "code": "refused_by_model_server"},
        ),
        (ReplicasUnusable("Later."), {"type": "server_error", "param": None, "code": "no_healthy_replica"}),
        (BROKEN, {"type": "server_error", "param": None, "code": "upstream_interrupted"}),
    ],
)
def test_a_fault_has_openais_four_fields(error: GatewayError, expected: dict[str, Any]) -> None:
    """Message, type, param and code, and nothing else; the gateway's own reader takes it for an error too."""
    fault = codec.loads(OpenAI().fault(error, "id-1"))
    assert fault == {"error": {"message": error.message, **expected}}
    assert OpenAI().is_fault(fault)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (UNKNOWN, openai.NotFoundError),
        (FieldInvalid("No.", param="n"), openai.BadRequestError),
        (ModelForbidden("No."), openai.PermissionDeniedError),
        (ReplicaRefused("Slower.", status=429, param=None), openai.RateLimitError),
        (BROKEN, openai.InternalServerError),
    ],
)
def test_openais_client_raises_what_its_users_expect(error: GatewayError, raised: type[openai.APIStatusError]) -> None:
    """It reads the sentence, the code, the parameter and the id of the request out of the reply."""
    with client_of(fault_reply(error)) as client, pytest.raises(raised) as caught:
        client.models.list()
    assert error.message in caught.value.message
    assert (caught.value.code, caught.value.param, caught.value.request_id) == (error.code, error.param, "id-1")


def events_reply(*events: bytes) -> httpx2.Response:
    """Return a stream as it goes over the wire."""
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=b"".join(events))


def test_openais_client_raises_on_the_event_that_ends_a_broken_chat() -> None:
    """What came before it is given to the user, and no end is invented."""
    token = recording("chat_stream").events[1]
    stream = events_reply(token, OpenAI().fault_event(BROKEN, "id-1"))
    chunks: list[object] = []
    with client_of(stream) as client, pytest.raises(openai.APIError, match="broke off"):
        chunks.extend(client.chat.completions.create(model="m", messages=[], stream=True))
    assert len(chunks) == 1


def test_openais_client_raises_on_the_event_that_ends_a_broken_response() -> None:
    """The Responses API has an error event of its own."""
    with client_of(events_reply(OpenAIResponses().fault_event(BROKEN, "id-1"))) as client:
        events = list(client.responses.create(model="m", input="Hi", stream=True))
    assert [(event.type, getattr(event, "message", None)) for event in events] == [("error", BROKEN.message)]


@pytest.mark.parametrize("dialect", [OpenAI(), OpenAIResponses()])
def test_an_error_event_is_one_event(dialect: OpenAI) -> None:
    """It ends with a blank line and holds no other, whatever the sentence says."""
    event = dialect.fault_event(FieldInvalid("Two\n\nlines."), "id-1")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n\n") == 1
    assert event.count(b"data: ") == 1


@pytest.mark.parametrize(
    ("value", "is_fault"),
    [
        ({"error": {"message": "No."}}, True),
        (codec.loads(recording("chat_wrong_model").body), True),
        ({"error": {"message": None}}, False),
        ({"error": "No."}, False),
        ({"detail": "Not Found"}, False),
        (codec.loads(recording("messages_wrong_model").body), True),
        ([], False),
        (None, False),
    ],
)
def test_only_an_error_that_a_client_can_read_passes_for_one(value: object, *, is_fault: bool) -> None:
    """A client library looks for a message inside an error object."""
    assert OpenAI().is_fault(value) is is_fault


@pytest.mark.parametrize(
    ("value", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}, Usage(3, 4, 2)),
        ({"input_tokens": 3, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 1}}, Usage(3, 4, 1)),
        ({"prompt_tokens": 3, "total_tokens": 3}, Usage(3, 0)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": None}, Usage(3, 4)),
        ({"prompt_tokens": "3", "completion_tokens": -4}, Usage(0, 0)),
        ({}, Usage(0, 0)),
        (None, None),
        ([], None),
    ],
)
def test_usage_is_read_in_both_spellings(value: object, usage: Usage | None) -> None:
    """Chat counts a prompt and a completion, Responses an input and an output; what is no count is none."""
    assert usage_of(value) == usage


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("chat", Usage(7, 8)),
        ("chat_n2", Usage(7, 16)),
        ("completion", Usage(3, 8)),
        ("embedding", Usage(3, 0)),
        ("responses", Usage(7, 8)),
        ("messages", Usage(7, 8)),
        ("tokenize_prompt", None),
        ("chat_wrong_model", None),
    ],
)
def test_the_usage_of_recorded_answers_is_read(name: str, usage: Usage | None) -> None:
    """It stands at the top of an answer, if it is there at all."""
    assert usage_in(recording(name).body) == usage
    assert OpenAI().usage(recording(name).body) == usage


def test_a_huge_answer_is_not_parsed_for_its_usage() -> None:
    """Thousands of embeddings would hold up everybody else."""
    small, large = (b'{"data":"%s","usage":{"prompt_tokens":5}}' % (b"x" * size) for size in (10, 300_000))
    assert usage_in(small) == Usage(5, 0)
    assert usage_in(large) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"usage":{"prompt_tokens":5},"choices":[{"usage":{"prompt_tokens":7}}]}',
        b'{"choices":[{"usage":{"prompt_tokens":7}}],"usage":{"prompt_tokens":5},"metrics":null}',
        b'{"choices":[{"text":"\\"usage\\":{\\"prompt_tokens\\":7}"}],"usage":{"prompt_tokens":5},"text":"}"}',
        b'{"usage":{"prompt_tokens":5},"text":"\\"usage\\":{\\"prompt_tokens\\":7}"}',
    ],
)
def test_the_usage_is_that_of_the_whole_answer(body: bytes) -> None:
    """Wherever it stands, and whatever parts of the answer say of theirs, or words of it."""
    assert usage_in(body) == Usage(5, 0)


@pytest.mark.parametrize("body", [b'{"usage":{"prompt_tokens":5}', b'["usage",{"usage":{}}]', b'{"a":{"usage":{}}}'])
def test_what_only_looks_like_usage_is_none(body: bytes) -> None:
    """Half an answer, or another kind of JSON, has no usage to read."""
    assert usage_in(body) is None


_CRAFTY = st.sampled_from(["usage", ',"usage":{', '"usage":{"prompt_tokens":1}}', "\\", '"', "{}", "a"])
_USAGE = st.fixed_dictionaries({"prompt_tokens": st.integers(1, 9)})
_VALUES: st.SearchStrategy[object] = st.recursive(
    _USAGE | _CRAFTY | st.lists(_CRAFTY).map("".join),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("usage") | _CRAFTY, inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["choices", "usage", "metrics"]), _VALUES))
def test_nothing_inside_an_answer_is_taken_for_its_usage(answer: dict[str, object]) -> None:
    """Whatever a model writes, and however deep an object of that name lies, it is the answer's own that counts."""
    assert usage_in(codec.dumps(answer)) == usage_of(answer.get("usage"))


def finished(*reasons: object) -> dict[str, Any]:
    """Return a chunk in which choices have these finish reasons."""
    return {"choices": [{"index": index, "finish_reason": reason} for index, reason in enumerate(reasons)]}


@pytest.mark.parametrize(
    ("chunk", "sighting"),
    [
        (finished(None), Sighting()),
        (finished("stop"), Sighting(finished=(0,))),
        (finished(None, "length"), Sighting(finished=(1,))),
        (finished("tool_calls", "stop"), Sighting(finished=(0, 1))),
        ({"choices": [{"finish_reason": "stop"}]}, Sighting(finished=(0,))),
        (finished("abort"), Sighting(finished=(0,), is_broken=True)),
        (finished("stop", "error"), Sighting(finished=(0, 1), is_broken=True)),
        ({"choices": [], "usage": {"prompt_tokens": 1}}, Sighting(usage=Usage(1, 0), is_usage_only=True)),
        (finished("stop") | {"usage": {"prompt_tokens": 1}}, Sighting(finished=(0,), usage=Usage(1, 0))),
        ({"choices": []}, Sighting()),
        ({"error": {"message": "No."}}, Sighting(is_broken=True)),
        ({"object": "ping"}, Sighting()),
        ({"choices": [{"index": [0], "finish_reason": "stop"}, "stop"]}, Sighting()),
        ({"choices": [{"index": 0, "finish_reason": ["stop"]}]}, Sighting(finished=(0,))),
    ],
)
def test_a_chunk_tells_how_the_answer_goes(chunk: dict[str, Any], sighting: Sighting) -> None:
    """Choices that end, an abort, an error, usage; nothing else matters."""
    assert sight_chunk(chunk) == sighting


USAGE = {"usage": {"input_tokens": 1, "output_tokens": 2}}


@pytest.mark.parametrize(
    ("event", "sighting"),
    [
        ({"type": "response.created", "response": USAGE}, Sighting()),
        ({"type": "response.output_text.delta", "delta": "error"}, Sighting()),
        (
            {"type": "response.completed", "response": USAGE},
            Sighting(finished=(0,), is_end=True, usage=Usage(1, 2)),
        ),
        ({"type": "response.incomplete", "response": {}}, Sighting(finished=(0,), is_end=True)),
        ({"type": "response.completed"}, Sighting(finished=(0,), is_end=True)),
        ({"type": "response.failed"}, Sighting(is_broken=True)),
        ({"type": "error", "message": "No."}, Sighting(is_broken=True)),
        ({"error": {"message": "No."}}, Sighting(is_broken=True)),
        ({"type": ["error"]}, Sighting()),
    ],
)
def test_a_responses_event_tells_by_its_type(event: dict[str, Any], sighting: Sighting) -> None:
    """Completed and incomplete are ends, failed and error are none."""
    assert sight_response_event(event) == sighting


def test_the_reply_carries_the_id_of_the_request() -> None:
    """The client library looks for it in a header."""
    assert OpenAI().reply_headers("id-1") == [(b"x-request-id", b"id-1")]
