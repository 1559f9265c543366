"""`/chat` and `/embed`."""

import pytest

from vllm_gateway import codec
from vllm_gateway.dialects.simple import read_chat, read_embed, with_content
from vllm_gateway.errors import BodyInvalid, ReplicaFailed

MESSAGES = [{"role": "user", "content": "Hi"}]


def test_three_bodies_are_told_apart_by_their_fields() -> None:
    """A session first, then a conversation, then a question."""
    turn = read_chat({"session_id": "s", "message": "Hi", "messages": []})
    conversation = read_chat({"messages": MESSAGES, "message": "no"})
    question = read_chat({"message": "Hi"})
    assert turn.saying is not None
    assert (turn.saying.session_id, turn.saying.messages) == ("s", MESSAGES)
    assert (conversation.reply, question.reply) == (with_content, None)
    assert conversation.fields["messages"] == question.fields["messages"] == MESSAGES
    assert not any(asked.stream for asked in (turn, conversation, question))


def test_nothing_said_is_a_missing_field() -> None:
    """Told as FastAPI would."""
    with pytest.raises(BodyInvalid) as refusal:
        read_chat({})
    assert refusal.value.detail == [
        {"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": None}
    ]


def test_text_and_end_stand_at_the_top_as_well() -> None:
    """For readers of either shape; all that the replica wrote stays."""
    completion = {"id": "c", "choices": [{"message": {"content": "Hey"}, "finish_reason": "stop"}], "usage": {}}
    assert codec.loads(with_content(codec.dumps(completion))) == {
        **completion,
        "content": "Hey",
        "finish_reason": "stop",
    }


def test_an_answer_without_text_has_an_empty_one() -> None:
    """A tool call says nothing."""
    completion = {"choices": [{"message": {"content": None}, "finish_reason": "tool_calls"}]}
    assert codec.loads(with_content(codec.dumps(completion)))["content"] == ""


def test_an_answer_that_is_none_is_a_failure() -> None:
    """Of the replica."""
    with pytest.raises(ReplicaFailed):
        with_content(b"{}")


def test_texts_are_embedded() -> None:
    """One or many."""
    assert codec.loads(read_embed({"input": "x"}).body) == {"input": "x"}
    with pytest.raises(BodyInvalid):
        read_embed({"input": None})


@pytest.mark.parametrize(
    "fields", [{"session_id": None, "messages": MESSAGES}, {"session_id": None, "messages": None, "message": "Hi"}]
)
def test_a_field_that_is_null_is_missing(fields: dict[str, object]) -> None:
    """It does not decide which body this is, and no replica sees it."""
    asked = read_chat(fields)
    assert asked.saying is None
    assert asked.fields == {"messages": MESSAGES, "stream": False}
