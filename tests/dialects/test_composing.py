"""From the gateway's own bodies to those of vLLM's."""

from typing import Any

import pytest

from vllm_gateway import codec
from vllm_gateway.dialects.bodies import EmbeddingsBody, MessagesBody, SessionChatBody
from vllm_gateway.dialects.composing import chat, embeddings, said
from vllm_gateway.errors import BodyInvalid
from vllm_gateway.exchange import Asked, Saying

USER = {"role": "user", "content": "Hi"}


def composed(stream: bool = False, **fields: Any) -> Asked:  # noqa: ANN401, FBT002 - any field of a body
    """Return what a conversation with these fields asks for."""
    fields = {"messages": [USER], **fields}
    return chat(fields, MessagesBody.model_validate(fields), fields["messages"], stream=stream)


def test_parameters_of_vllm_pass_and_our_own_do_not() -> None:
    """Named or in `extra`; what only the gateway understands stays here."""
    asked = composed(model="m", modelKey="tiny", session_id="s", seed=1, extra={"top_k": 5}, system="no")
    assert asked.fields == {"messages": [USER], "model": "m", "seed": 1, "top_k": 5, "stream": False}
    assert codec.loads(asked.body) == asked.fields
    assert (asked.path, asked.model, asked.route) == ("/v1/chat/completions", "m", "tiny")


def test_numbers_in_texts_become_numbers() -> None:
    """So that the gateway reckons with what the replica will do."""
    asked = composed(max_tokens="5", temperature="0.5", top_p=None)
    assert (asked.fields["max_tokens"], asked.fields["temperature"], asked.fields["top_p"]) == (5, 0.5, None)
    asked = composed(max_tokens=9, extra={"max_tokens": "6", "top_k": "7"})
    assert (asked.fields["max_tokens"], asked.fields["top_k"]) == (6, "7")


def test_a_stream_is_asked_for_its_usage() -> None:
    """Which the caller does not see unless it asked for it."""
    assert composed(stream=True).adds_usage
    assert not composed(stream=True, stream_options={"include_usage": True}).adds_usage
    assert not composed().adds_usage


@pytest.mark.parametrize("name", ["messages", "model", "stream", "stream_options", "session_id", "extra", "modelKey"])
def test_extra_cannot_contradict_the_body(name: str) -> None:
    """What has its own place stands there."""
    with pytest.raises(BodyInvalid) as refusal:
        composed(extra={name: 1})
    assert refusal.value.detail[0]["loc"] == ["body", "extra", name]


def test_embeddings_take_any_model() -> None:
    """Unless one is named."""
    fields = {"input": "x", "modelKey": "e", "dimensions": 8}
    asked = embeddings(fields, EmbeddingsBody.model_validate(fields))
    assert codec.loads(asked.body) == {"input": "x", "dimensions": 8}
    assert (asked.path, asked.route, asked.is_any_model, asked.stream) == ("/v1/embeddings", "e", True, False)


def test_a_turn_is_asked_for_without_its_messages() -> None:
    """They are added when it is known what fits."""
    saying = Saying([USER], lambda *_: b"")
    fields = {"message": "Hi", "max_tokens": 5, "n": 1}
    asked = said(fields, SessionChatBody.model_validate(fields), saying, stream=True)
    assert asked.fields == {"max_tokens": 5, "n": 1, "stream": True}
    assert (asked.saying, asked.stream, asked.adds_usage) == (saying, True, True)


@pytest.mark.parametrize(
    "more", [{"n": 2}, {"extra": {"n": 2}}, {"n": [1]}, {"n": {"a": 1}}, {"n": "1"}, {"n": 0}, {"extra": {"n": []}}]
)
def test_a_turn_has_one_answer(more: dict[str, object]) -> None:
    """Two could not both be remembered; what is no number is no 1."""
    fields = {"message": "Hi", **more}
    with pytest.raises(BodyInvalid, match="one answer per turn"):
        said(fields, SessionChatBody.model_validate(fields), Saying([USER], lambda *_: b""), stream=False)
