"""Answers in one piece that say something denied."""

from typing import Any

import pytest

from tests.recorded import Recording, recordings
from vllm_gateway import codec
from vllm_gateway.admission.screen.answered import check_answer
from vllm_gateway.admission.screen.patterns import DenyList
from vllm_gateway.errors import ContentRefused, ReplicaFailed

DENY = DenyList(["bomb"], [])
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"q":"a \\u0062omb"}'}}

ANSWERS: list[dict[str, Any]] = [
    {"choices": [{"index": 0, "message": {"role": "assistant", "content": "a bomb"}}]},
    {"choices": [{"message": {"content": "Hi"}}, {"message": {"content": "a bomb"}}]},
    {"choices": [{"message": {"content": "Hi", "reasoning": "a bomb"}}]},
    {"choices": [{"message": {"content": None, "refusal": "no bomb"}}]},
    {"choices": [{"message": {"content": None, "tool_calls": [CALL]}}]},
    {"choices": [{"index": 0, "text": "a bomb"}]},
    {"output": [{"type": "message", "content": [{"type": "output_text", "text": "a bomb"}]}]},
    {"output": [{"type": "function_call", "name": "f", "arguments": '{"q":"bomb"}'}]},
    {"content": [{"type": "thinking", "thinking": "a bomb"}]},
    {"content": [{"type": "tool_use", "name": "f", "input": {"q": "bomb"}}]},
]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_nothing_denied_is_answered(answer: dict[str, Any]) -> None:
    """It is refused wherever a model can put it, and the sentence does not say it again."""
    with pytest.raises(ContentRefused) as caught:
        check_answer(codec.dumps(answer), DENY)
    assert "bomb" not in str(caught.value)


def test_what_is_not_said_is_not_looked_at() -> None:
    """Names, echoes of the request, and tokens that the model did not choose are no part of what it says."""
    answer = {
        "id": "bomb",
        "model": "bomb",
        "instructions": "no bomb",
        "choices": [{"message": {"content": "Hi"}, "logprobs": {"content": [{"token": "bomb"}]}}],
        "output": [],
    }
    check_answer(codec.dumps(answer), DENY)


WHOLE = [each for each in recordings() if each.status == 200 and each.body.startswith(b"{")]


@pytest.mark.parametrize("answer", WHOLE, ids=lambda answer: answer.name)
def test_every_recorded_answer_passes(answer: Recording) -> None:
    """What a real vLLM answered says nothing of the kind, whichever route it is from."""
    check_answer(answer.body, DENY)


def test_an_answer_that_is_no_json_is_none() -> None:
    """What cannot be read cannot be let through."""
    with pytest.raises(ReplicaFailed):
        check_answer(b"<html>", DENY)
