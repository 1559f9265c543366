"""As much of a body as routing and relaying need."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.dialects.openai import CHUNKS
from vllm_gateway.dialects.reading import choices_asked_for, choices_of_prompts, parse, understand
from vllm_gateway.dialects.sse import PlainWatch
from vllm_gateway.errors import BodyMalformed, FieldInvalid
from vllm_gateway.exchange import Asked

CHAT = "/v1/chat/completions"
LAST = b'data: {"choices":[{"index":%d,"delta":{},"finish_reason":"stop"}]}\n\n'


def understood(body: bytes, *, max_json_depth: int = 64) -> Asked:
    """Read the body of a chat."""
    return understand(parse(body, max_json_depth), body, CHAT, marks=CHUNKS, choices=choices_asked_for)


def asked(**fields: Any) -> Asked:  # noqa: ANN401 - JSON is any of its types
    """Read a body with these fields."""
    return understood(codec.dumps(fields))


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
        understood(body)
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
        ({"model": "m", "modelKey": 5}, "modelKey"),
    ],
)
def test_a_field_that_the_gateway_needs_must_be_of_its_kind(fields: dict[str, Any], param: str) -> None:
    """Routing and relaying rest on these; the refusal names the one that is wrong."""
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
    wish = asked(**fields)
    assert (wish.model, wish.stream) == (model, stream)


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
    body = codec.dumps(fields | {"model": "m", "modelKey": None, "stream": False, "text": brackets})
    if depth(fields) <= levels:
        assert understood(body, max_json_depth=levels).model == "m"
    else:
        with pytest.raises(BodyMalformed, match=f"more than {levels} levels deep"):
            understood(body, max_json_depth=levels)


def test_a_wide_body_is_not_a_deep_one() -> None:
    """A thousand messages are three levels."""
    body = codec.dumps({"messages": [{"role": "user"}] * 1000})
    assert len(understood(body, max_json_depth=3).fields["messages"]) == 1000
    with pytest.raises(BodyMalformed):
        understood(body, max_json_depth=2)


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
    wish = asked(stream=True, stream_options=options)
    assert wish.adds_usage is adds_usage
    watch = wish.new_watch()
    watch.feed(LAST % 0)
    assert watch.feed(usage_event) == (b"" if adds_usage else usage_event)


def test_usage_is_asked_for_in_streams_that_can_leave_it_out() -> None:
    """An answer in one piece tells it anyway, and so does a stream in another shape."""
    assert asked(stream=True).adds_usage
    assert not asked(stream=False).adds_usage
    assert not understand({"stream": True}, b"", "/v1/messages").adds_usage


def test_what_is_asked_is_kept_as_it_was_sent() -> None:
    """The replica gets the caller's own bytes at the route that was named; nothing is picked, kept or rewritten."""
    body = b'{ "model" : "m", "x": [1.0, "\\u00e9"] }'
    wish = understand(parse(body, 9), body, "/tokenize")
    assert (wish.path, wish.body, wish.fields) == ("/tokenize", body, {"model": "m", "x": [1.0, "\u00e9"]})
    assert (wish.route, wish.is_any_model, wish.reply, wish.saying, wish.keeping) == (None, False, None, None, None)


def test_a_route_without_streams_is_not_watched_for_an_end() -> None:
    """Whatever its answer holds is let through."""
    watch = understand({}, b"{}", "/v1/rerank").new_watch()
    assert isinstance(watch, PlainWatch)
    assert watch.feed(LAST % 0) == LAST % 0


@pytest.mark.parametrize(
    ("fields", "of_chat", "of_prompts"),
    [
        ({}, 1, 1),
        ({"n": 3}, 3, 3),
        ({"n": None}, 1, 1),
        ({"n": 0}, 1, 1),
        ({"n": -1}, 1, 1),
        ({"n": "3"}, 1, 1),
        ({"n": 3, "prompt": ["a", "b"]}, 3, 6),
        ({"prompt": "one"}, 1, 1),
        ({"prompt": ["one", "two"]}, 1, 2),
        ({"prompt": [1, 2, 3]}, 1, 1),
        ({"prompt": [[1, 2], [3]]}, 1, 2),
        ({"prompt": []}, 1, 1),
        ({"prompt": None}, 1, 1),
    ],
)
def test_choices_are_counted(fields: dict[str, Any], of_chat: int, of_prompts: int) -> None:
    """`n`, in a completion for each prompt; a list of token ids is one prompt."""
    assert (choices_asked_for(fields), choices_of_prompts(fields)) == (of_chat, of_prompts)


@pytest.mark.parametrize(("fields", "route"), [({}, None), ({"modelKey": None}, None), ({"modelKey": "tiny"}, "tiny")])
def test_a_route_may_be_named(fields: dict[str, Any], route: str | None) -> None:
    """On vLLM's own routes too."""
    assert asked(**fields).route == route
