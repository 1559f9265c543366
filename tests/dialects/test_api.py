"""The routes below `/api`."""

from typing import Any

import pytest

from vllm_gateway import codec
from vllm_gateway.dialects.api import read_api_chat, read_api_chat_stream, read_api_embeddings
from vllm_gateway.errors import BodyInvalid

MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("fields", "streams"),
    [
        ({"messages": MESSAGES}, True),
        ({"messages": MESSAGES, "stream": None}, True),
        ({"messages": MESSAGES, "stream": False}, False),
        ({"message": "Hi"}, False),
        ({"message": "Hi", "stream": True}, True),
        ({"messages": MESSAGES, "message": "not this"}, True),
        ({"messages": None, "message": "Hi"}, False),
    ],
)
def test_a_conversation_streams_and_a_question_does_not(fields: dict[str, Any], *, streams: bool) -> None:
    """Unless they say otherwise; on the streaming route both always do."""
    assert read_api_chat(fields).stream is streams
    assert read_api_chat_stream(fields).stream is True
    assert codec.loads(read_api_chat(fields).body)["messages"] == MESSAGES


def test_a_question_may_bring_a_system_prompt() -> None:
    """It comes first."""
    asked = read_api_chat({"message": "Hi", "system": "Be brief.", "modelKey": "tiny"})
    assert asked.fields["messages"] == [{"role": "system", "content": "Be brief."}, *MESSAGES]
    assert asked.route == "tiny"


@pytest.mark.parametrize("read", [read_api_chat, read_api_chat_stream])
def test_something_must_be_said(read: Any) -> None:  # noqa: ANN401 - either reader
    """Neither body is a missing field."""
    with pytest.raises(BodyInvalid) as refusal:
        read({"model": "m"})
    assert refusal.value.detail[0]["loc"] == ["body", "messages"]


def test_embeddings_are_asked_for() -> None:
    """Of the route that is picked."""
    asked = read_api_embeddings({"input": ["a"], "modelKey": "e"})
    assert (asked.path, asked.route) == ("/v1/embeddings", "e")
