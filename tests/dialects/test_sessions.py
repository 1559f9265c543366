"""Turns of sessions: how they are asked for, and how their answers look."""

from typing import Any

import pytest

from vllm_gateway import codec
from vllm_gateway.dialects.sessions import full_reply, read_session_chat, read_turn, short_reply, whole_seconds
from vllm_gateway.errors import BodyInvalid
from vllm_gateway.exchange import SessionNow

NOW = SessionNow("sess_1", turns=3, expires_in=599.2, messages_in_context=4)
COMPLETION = {
    "id": "c",
    "choices": [{"message": {"content": "Hey"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
}


def test_a_turn_names_its_session_in_the_body() -> None:
    """Its other fields go to the model."""
    asked = read_turn({"session_id": "s", "message": "Hi", "max_tokens": 4, "extra": {"top_k": 1}})
    assert asked.saying is not None
    assert (asked.saying.session_id, asked.saying.messages) == ("s", [{"role": "user", "content": "Hi"}])
    assert asked.fields == {"max_tokens": 4, "top_k": 1, "stream": False}


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({"message": "Hi"}, [{"role": "user", "content": "Hi"}]),
        (
            {"message": [{"type": "text", "text": "Hi"}]},
            [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        ),
        ({"messages": [{"role": "tool", "content": "4", "x": 1}]}, [{"role": "tool", "content": "4", "x": 1}]),
    ],
)
def test_a_turn_may_say_one_thing_or_several(fields: dict[str, Any], messages: list[Any]) -> None:
    """Text, parts, or the results of tools; the path names the session."""
    asked = read_session_chat(fields)
    assert asked.saying is not None
    assert (asked.saying.session_id, asked.saying.messages) == (None, messages)


@pytest.mark.parametrize("fields", [{}, {"message": "a", "messages": [{"role": "user", "content": "b"}]}])
def test_a_turn_says_something_in_one_way(fields: dict[str, Any]) -> None:
    """Not nothing, and not both."""
    with pytest.raises(BodyInvalid):
        read_session_chat(fields)


def test_the_short_reply_has_exactly_its_seven_fields() -> None:
    """As the earlier service wrote them."""
    assert codec.loads(short_reply(COMPLETION, NOW)) == {
        "reply": "Hey",
        "finish_reason": "stop",
        "total_tokens": 9,
        "input_tokens": 7,
        "output_tokens": 2,
        "session_id": "sess_1",
        "expires_in": 600,
    }


def test_the_full_reply_is_the_replicas_with_the_session_beside_it() -> None:
    """Nothing of the replica's is lost."""
    assert codec.loads(full_reply(COMPLETION, NOW)) == {
        **COMPLETION,
        "session": {"id": "sess_1", "turns": 3, "expires_in": 600, "messages_in_context": 4},
    }


def test_seconds_are_whole_or_none() -> None:
    """None means for ever."""
    assert [whole_seconds(each) for each in (None, 0.0, 0.1, 600.0)] == [None, 0, 1, 600]
