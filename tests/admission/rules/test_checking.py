"""All rules together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.admission.rules.bodies import CHAT, understood
from tests.exchanges import OPERATIONS
from vllm_gateway import codec
from vllm_gateway.admission.rules.checking import Rules
from vllm_gateway.admission.rules.owned import REFUSED, STRIPPED
from vllm_gateway.errors import BodyMalformed, FieldInvalid, GatewayError
from vllm_gateway.settings.model import Settings

CHECK = Rules(Settings()).check
KNOWN = sorted(
    REFUSED
    | STRIPPED
    | {
        *("model", "messages", "message", "prompt", "input", "query", "documents", "text_1", "data_2", "items"),
        *("stream", "stream_options", "n", "best_of", "max_tokens", "max_completion_tokens", "max_output_tokens"),
        *("min_tokens", "logprobs", "top_logprobs", "prompt_logprobs", "stop", "stop_sequences", "bad_words"),
        *("tools", "tool_choice", "response_format", "structured_outputs", "text", "output_config", "logit_bias"),
        *("allowed_token_ids", "stop_token_ids", "chat_template_kwargs", "guided_json", "system", "metadata"),
        *("temperature", "store", "previous_response_id", "session_id", "extra", "modelKey"),
    }
)
INSIDE = [
    "json",
    "regex",
    "format",
    "schema",
    "function",
    "parameters",
    "content",
    "output",
    "image_url",
    "source",
    "url",
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["http://x", "data:,", "7", "m"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INSIDE) | st.text(), inner, max_size=3),
    max_leaves=8,
)


def read(path: str, body: bytes) -> None:
    """Read and check a body as the gateway does."""
    CHECK(OPERATIONS[path].read(body), body)


@given(st.sampled_from(sorted(OPERATIONS)), st.dictionaries(st.sampled_from(KNOWN), VALUES, max_size=6))
def test_wrong_types_are_refused_or_passed_on(path: str, fields: dict[str, Any]) -> None:
    """B-08: whatever a known field holds, on every route; nothing but a refusal is ever raised."""
    try:
        read(path, codec.dumps(fields))
    except GatewayError as error:
        assert 400 <= OPERATIONS[path].dialect.status(error) < 500  # noqa: PT017 - most bodies pass


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"guided_json": {}}, "guided_json"),
        ({"n": 17}, "n"),
        ({"structured_outputs": {"regex": "x" * 5000}}, "structured_outputs.regex"),
        ({"messages": [{"content": [{"image_url": "http://x"}]}]}, "messages[0].content[0].image_url"),
        ({"chat_template": "{{ x }}"}, "chat_template"),
    ],
)
def test_every_rule_is_applied(fields: dict[str, Any], param: str) -> None:
    """What breaks one of them is refused with the field to blame."""
    with pytest.raises(FieldInvalid) as refusal:
        CHECK(understood(CHAT, **fields))
    assert refusal.value.param == param


@pytest.mark.parametrize("path", [CHAT, "/chat", "/api/chat", "/v1/sessions/{id}/chat", "/embed"])
def test_a_name_that_comes_twice_is_refused_on_every_route(path: str) -> None:
    """B-05: also where the gateway writes the replica's body itself."""
    body = b'{"message":"x","input":"x","model":"m","temperature":0,"temperature":1}'
    if path == "/api/chat":
        body = body.replace(b'"message":"x"', b'"messages":[{"role":"user","content":"x"}]')
    with pytest.raises(BodyMalformed, match='"temperature" twice'):
        read(path, body)
    read(path, body.replace(b'"temperature":0,', b""))


def test_usual_bodies_pass() -> None:
    """A conversation with tools and a schema, as clients send them."""
    CHECK(
        understood(
            model="m",
            messages=[{"role": "user", "content": "x"}, {"role": "user", "content": [{"type": "text", "text": "x"}]}],
            tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
            stop=["\n"],
            n=1,
            max_tokens=100,
            logprobs=True,
            top_logprobs=5,
            chat_template_kwargs={"enable_thinking": False},
            stream=True,
        )
    )
