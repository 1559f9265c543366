"""Which routes there are, and how their bodies are read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchanges import OPERATIONS
from tests.recorded import recordings
from vllm_gateway import codec
from vllm_gateway.dialects.anthropic import Anthropic
from vllm_gateway.dialects.openai import OpenAI, OpenAIResponses
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.dialects.sse import PlainWatch, StreamWatch
from vllm_gateway.errors import BodyMalformed, FieldInvalid, Refusal
from vllm_gateway.exchange import Asked

CHAT = "/v1/chat/completions"
LAST = b'data: {"choices":[{"index":%d,"delta":{},"finish_reason":"stop"}]}\n\n'


def read(body: bytes, path: str = CHAT, *, max_json_depth: int = 64) -> Asked:
    """Read a body as the gateway does."""
    return build_operations(max_json_depth=max_json_depth)[path].read(body)


def asked(path: str = CHAT, **fields: Any) -> Asked:  # noqa: ANN401 - JSON is any of its types
    """Read a body with these fields."""
    return read(codec.dumps(fields), path)


def test_the_routes_are_those_of_vllm_and_no_more() -> None:
    """Anything else never reaches a replica; each route has the errors that its clients understand."""
    assert {path: type(operation.dialect) for path, operation in OPERATIONS.items()} == {
        "/v1/chat/completions": OpenAI,
        "/v1/completions": OpenAI,
        "/v1/embeddings": OpenAI,
        "/v1/responses": OpenAIResponses,
        "/v1/messages": Anthropic,
        "/v1/messages/count_tokens": Anthropic,
        "/v1/rerank": OpenAI,
        "/v1/score": OpenAI,
        "/tokenize": OpenAI,
        "/detokenize": OpenAI,
    }
    assert all(operation.path == path for path, operation in OPERATIONS.items())


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is not valid JSON: "),
        (b"{", "The body is not valid JSON: "),
        (b'{"model": "m",}', "The body is not valid JSON: "),
        (b"\xff\xfe", "The body is not valid JSON: "),
        (b'{"a": NaN}', "The body is not valid JSON: "),
        (b'{"a": 1} {"a": 2}', "The body is not valid JSON: "),
        (b'{"a":' * 2000, "The body is not valid JSON: "),
        (b"[]", "The body must be a JSON object."),
        (b'"model"', "The body must be a JSON object."),
        (b"null", "The body must be a JSON object."),
    ],
)
def test_a_body_that_is_no_json_object_is_malformed(body: bytes, sentence: str) -> None:
    """It gets 400 and one clear sentence, on one line, about what is wrong."""
    with pytest.raises(BodyMalformed) as refusal:
        read(body)
    assert refusal.value.status == 400
    assert refusal.value.message.startswith(sentence)
    assert refusal.value.message.endswith(".")
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 3}, "model"),
        ({"model": ["m"]}, "model"),
        ({"model": {"id": "m"}}, "model"),
        ({"model": False}, "model"),
        ({"model": "m", "stream": "true"}, "stream"),
        ({"model": "m", "stream": 1}, "stream"),
        ({"model": "m", "stream": []}, "stream"),
    ],
)
def test_a_field_that_the_gateway_needs_must_be_of_its_kind(fields: dict[str, Any], param: str) -> None:
    """Routing and relaying rest on these two; the refusal names the one that is wrong."""
    with pytest.raises(FieldInvalid) as refusal:
        asked(**fields)
    assert refusal.value.status == 400
    assert refusal.value.param == param
    assert f"'{param}'" in refusal.value.message


@pytest.mark.parametrize(
    ("fields", "model", "stream"),
    [
        ({}, None, False),
        ({"model": None, "stream": None}, None, False),
        ({"model": ""}, None, False),
        ({"model": "m", "stream": False}, "m", False),
        ({"model": "Qwen/Qwen2.5-7B", "stream": True}, "Qwen/Qwen2.5-7B", True),
    ],
)
def test_model_and_stream_may_be_left_out(fields: dict[str, Any], model: str | None, *, stream: bool) -> None:
    """An empty name is none; without `stream` the answer comes in one piece."""
    understood = asked(**fields)
    assert (understood.model, understood.stream) == (model, stream)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def depth(value: object) -> int:
    """Count the levels of a JSON value; one that holds nothing is a level too."""
    if not isinstance(value, dict | list):
        return 0
    return 1 + max((depth(each) for each in (value.values() if isinstance(value, dict) else value)), default=0)


@given(st.dictionaries(st.text(), JSON, max_size=3), st.integers(1, 6), st.sampled_from(["", "[[[[{{{{"]))
def test_a_body_may_be_nested_so_deep_and_no_deeper(fields: dict[str, Any], levels: int, brackets: str) -> None:
    """The object itself is the first level; brackets in a text are none."""
    body = codec.dumps(fields | {"model": "m", "stream": False, "text": brackets})
    if depth(fields) <= levels:
        assert read(body, max_json_depth=levels).model == "m"
    else:
        with pytest.raises(BodyMalformed, match=f"more than {levels} levels deep"):
            read(body, max_json_depth=levels)


def test_a_wide_body_is_not_a_deep_one() -> None:
    """A thousand messages are three levels."""
    body = codec.dumps({"messages": [{"role": "user"}] * 1000})
    assert len(read(body, max_json_depth=3).fields["messages"]) == 1000
    with pytest.raises(BodyMalformed):
        read(body, max_json_depth=2)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,truefalsn0.eE-\\u d', max_size=40).map(str.encode))
def test_no_bytes_can_do_more_than_be_refused(body: bytes) -> None:
    """Whatever is sent is understood or refused, on every route."""
    for operation in OPERATIONS.values():
        try:
            assert isinstance(operation.read(body).fields, dict)
        except Refusal as refusal:
            assert refusal.status == 400  # noqa: PT017 - either way is right, and this is the other one


NAMES = st.sampled_from(["n", "prompt", "stream_options", "messages", "no such field"]) | st.text()


@given(
    st.sampled_from(sorted(OPERATIONS)),
    st.dictionaries(NAMES, JSON, max_size=6),
    st.fixed_dictionaries({}, optional={"model": st.none() | st.text(), "stream": st.none() | st.booleans()}),
)
def test_every_field_is_kept(path: str, fields: dict[str, Any], known: dict[str, Any]) -> None:
    """Fields that nobody here knows are vLLM's business."""
    whole = fields | known
    if "model" not in known:
        whole.pop("model", None)
    if "stream" not in known:
        whole.pop("stream", None)
    understood = asked(path, **whole)
    assert understood.fields == whole
    assert understood.model == (whole.get("model") or None)
    assert understood.stream is bool(whole.get("stream"))
    understood.new_watch().feed(b": ping\n\n")


@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_only_the_openai_streams_are_asked_for_their_usage(path: str) -> None:
    """Chat and completions tell it only when they are asked; the other streams always do."""
    assert asked(path, stream=True).adds_usage is (path in {CHAT, "/v1/completions"})
    assert not asked(path, stream=False).adds_usage
    assert not asked(path).adds_usage


@pytest.mark.parametrize(
    ("options", "adds_usage"),
    [
        ({"include_usage": True}, False),
        ({"include_usage": True, "continuous_usage_stats": True}, False),
        ({"include_usage": False}, True),
        ({"include_usage": 1}, False),
        ({}, True),
        (None, True),
        ("yes", False),
    ],
)
def test_a_caller_who_asks_for_usage_gets_it(options: object, *, adds_usage: bool) -> None:
    """Then it is the caller's, and is not taken out again."""
    usage_event = b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'
    understood = asked(stream=True, stream_options=options)
    assert understood.adds_usage is adds_usage
    watch = understood.new_watch()
    watch.feed(LAST % 0)
    assert watch.feed(usage_event) == (b"" if adds_usage else usage_event)


@pytest.mark.parametrize(
    ("path", "fields", "choices"),
    [
        (CHAT, {}, 1),
        (CHAT, {"n": 3}, 3),
        (CHAT, {"n": None}, 1),
        (CHAT, {"n": 0}, 1),
        (CHAT, {"n": "3"}, 1),
        (CHAT, {"n": 3, "prompt": ["a", "b"]}, 3),
        ("/v1/completions", {"prompt": "one"}, 1),
        ("/v1/completions", {"prompt": ["one", "two"]}, 2),
        ("/v1/completions", {"prompt": ["one", "two"], "n": 2}, 4),
        ("/v1/completions", {"prompt": [1, 2, 3]}, 1),
        ("/v1/completions", {"prompt": [[1, 2], [3]]}, 2),
        ("/v1/completions", {"prompt": []}, 1),
        ("/v1/responses", {"n": 3}, 1),
    ],
)
def test_an_answer_has_as_many_choices_as_were_asked_for(path: str, fields: dict[str, Any], choices: int) -> None:
    """`n` for each prompt; a list of token ids is one prompt."""
    end = b'event: response.completed\ndata: {"type":"response.completed"}\n\n'
    watch = asked(path, stream=True, **fields).new_watch()
    for index in range(choices):
        assert not watch.is_complete()
        watch.feed(end if "responses" in path else LAST % index)
    assert watch.is_complete()


@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_each_answer_gets_its_own_watch(path: str) -> None:
    """A second try must not believe what the first one saw; a route without streams needs no watch."""
    understood = asked(path)
    assert understood.new_watch() is not understood.new_watch()
    has_streams = path in {CHAT, "/v1/completions", "/v1/responses", "/v1/messages"}
    assert isinstance(understood.new_watch(), StreamWatch if has_streams else PlainWatch)


@pytest.mark.parametrize(
    "call",
    [each for each in recordings() if each.path in OPERATIONS and each.status == 200 and each.request],
    ids=lambda call: call.name,
)
def test_what_vllm_understood_is_understood(call: Any) -> None:  # noqa: ANN401 - a recording, by way of pytest
    """No request that a real vLLM answered is refused here."""
    understood = OPERATIONS[call.path].read(call.request)
    assert understood.fields == codec.loads(call.request)
    assert understood.stream is bool(call.events)
