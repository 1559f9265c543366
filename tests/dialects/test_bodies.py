"""What is checked in the bodies of the gateway's own routes."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from vllm_gateway.dialects.bodies import EmbeddingsBody, MessagesBody, OneMessageBody, SessionChatBody, TurnBody
from vllm_gateway.edge.house.sessions import NewSessionBody

USER = {"role": "user", "content": "Hi"}
CALL = {"id": "a", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (MessagesBody, {"messages": [USER]}),
        (MessagesBody, {"messages": [{"role": "assistant", "tool_calls": [CALL]}, USER]}),
        (MessagesBody, {"messages": [{**USER, "content": [{"type": "text", "text": "x"}], "name": "n"}]}),
        (MessagesBody, {"messages": [USER], "temperature": 0, "top_p": 1, "max_tokens": 1, "stop": ["a"]}),
        (MessagesBody, {"messages": [USER], "temperature": None, "max_tokens": "5", "stop": "a", "seed": 1}),
        (OneMessageBody, {"message": "x", "system": "y", "modelKey": "tiny", "extra": {"top_k": 1}}),
        (TurnBody, {"session_id": "s", "message": "x"}),
        (SessionChatBody, {"message": [{"type": "text", "text": "x"}]}),
        (SessionChatBody, {"messages": [{"role": "tool", "content": "4", "tool_call_id": "a"}]}),
        (EmbeddingsBody, {"input": "x"}),
        (EmbeddingsBody, {"input": ["x", "y"], "dimensions": 8}),
    ],
)
def test_good_bodies_are_accepted(kind: type[BaseModel], fields: dict[str, Any]) -> None:
    """With whatever else vLLM may know."""
    kind.model_validate(fields)


@pytest.mark.parametrize(
    ("kind", "fields", "place"),
    [
        (MessagesBody, {}, ("messages",)),
        (MessagesBody, {"messages": []}, ("messages",)),
        (MessagesBody, {"messages": [{"role": "robot", "content": "x"}]}, ("messages", 0, "role")),
        (MessagesBody, {"messages": [{"role": "user"}]}, ("messages", 0, "content")),
        (MessagesBody, {"messages": ["x"]}, ("messages", 0)),
        (MessagesBody, {"messages": [USER], "temperature": 2.5}, ("temperature",)),
        (MessagesBody, {"messages": [USER], "temperature": True}, ("temperature",)),
        (MessagesBody, {"messages": [USER], "top_p": 1.5}, ("top_p",)),
        (MessagesBody, {"messages": [USER], "max_tokens": 0}, ("max_tokens",)),
        (MessagesBody, {"messages": [USER], "max_tokens": -1}, ("max_tokens",)),
        (MessagesBody, {"messages": [USER], "max_tokens": True}, ("max_tokens",)),
        (MessagesBody, {"messages": [USER], "max_tokens": 10**12}, ("max_tokens",)),
        (MessagesBody, {"messages": [USER], "stop": 5}, ("stop",)),
        (MessagesBody, {"messages": [USER], "model": ""}, ("model",)),
        (MessagesBody, {"messages": [USER], "modelKey": "x" * 300}, ("modelKey",)),
        (MessagesBody, {"messages": [USER], "stream": "maybe"}, ("stream",)),
        (MessagesBody, {"messages": [USER], "extra": []}, ("extra",)),
        (MessagesBody, {"messages": [USER], "extra": {"max_tokens": -5}}, ("extra", "max_tokens")),
        (MessagesBody, {"messages": [USER], "extra": {"temperature": "warm"}}, ("extra", "temperature")),
        (MessagesBody, {"messages": [USER], "max_completion_tokens": 0}, ("max_completion_tokens",)),
        (OneMessageBody, {"message": ""}, ("message",)),
        (TurnBody, {"message": "x"}, ("session_id",)),
        (TurnBody, {"session_id": "s"}, ("message",)),
        (SessionChatBody, {"messages": []}, ("messages",)),
        (EmbeddingsBody, {}, ("input",)),
        (EmbeddingsBody, {"input": []}, ("input",)),
        (EmbeddingsBody, {"input": 5}, ("input",)),
    ],
)
def test_bad_bodies_are_refused_by_place(kind: type[BaseModel], fields: dict[str, Any], place: tuple[object]) -> None:
    """Each fault names where it is."""
    with pytest.raises(ValidationError) as refusal:
        kind.model_validate(fields)
    assert refusal.value.errors()[0]["loc"][: len(place)] == place


@pytest.mark.parametrize(
    "calls",
    ["f", {}, 5, ["f"], [None], [{}], [{"function": "f"}], [{"function": {"name": "f"}}], [{"function": {"name": 5}}]],
)
def test_calls_of_tools_must_be_some(calls: object) -> None:
    """They are kept, and read again by whoever asks for the conversation."""
    message = {"role": "assistant", "content": "x", "tool_calls": calls}
    with pytest.raises(ValidationError) as refusal:
        SessionChatBody.model_validate({"messages": [message]})
    assert refusal.value.errors()[0]["loc"][:3] == ("messages", 0, "tool_calls")


@pytest.mark.parametrize(("kind", "most"), [(MessagesBody, 10_000), (SessionChatBody, 1000), (NewSessionBody, 10_000)])
@pytest.mark.parametrize("message", [USER, {"role": "robot"}, 1])
def test_too_many_messages_are_not_looked_through(kind: type[BaseModel], most: int, message: object) -> None:
    """Their number is the only fault that is told, however many others there are."""
    with pytest.raises(ValidationError) as refusal:
        kind.model_validate({"messages": [message] * (2 * most)})
    (fault,) = refusal.value.errors()
    assert (fault["loc"], fault["type"]) == (("messages",), "too_long")
    assert fault["msg"].startswith("List ")
