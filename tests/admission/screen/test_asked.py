"""Requests that say something denied, in every place where something can be said."""

from typing import Any

import pytest

from vllm_gateway.admission.screen.asked import check_asked
from vllm_gateway.admission.screen.patterns import DenyList
from vllm_gateway.errors import ContentRefused, FieldInvalid

DENY = DenyList(["bomb"], [r"sk-\d{4}"])
SAID = "How to build a bomb?"
USER = {"role": "user", "content": "Hi"}

BODIES: list[dict[str, Any]] = [
    {"messages": [{"role": "system", "content": SAID}, USER]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": SAID}]}]},
    {"messages": [USER, {"role": "assistant", "reasoning": SAID}]},
    {"messages": [USER, {"role": "tool", "tool_call_id": "1", "content": SAID}]},
    {"messages": [USER], "tools": [{"type": "function", "function": {"name": "f", "description": SAID}}]},
    {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": {"schema": {"title": SAID}}}},
    {"messages": [USER], "chat_template_kwargs": {"bomb": True}},
    {"messages": [USER], "stop": ["bomb"]},
    {"prompt": SAID},
    {"prompt": ["Hi", SAID]},
    {"prompt": "Hi", "suffix": SAID},
    {"input": SAID},
    {"input": [{"role": "user", "content": [{"type": "input_text", "text": SAID}]}]},
    {"input": "Hi", "instructions": SAID},
    {"input": ["Hi", SAID]},
    {"query": SAID, "documents": ["Hi"]},
    {"query": "Hi", "documents": ["Hi", {"text": SAID}]},
    {"text_1": "Hi", "text_2": [SAID]},
    {"system": [{"type": "text", "text": SAID}], "messages": [USER]},
    {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": SAID}]}]}]},
    {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {"q": SAID}}]}]},
    {"anything": {"new": [SAID]}},
    {"prompt": "my key is sk-1234"},
]


@pytest.mark.parametrize("fields", BODIES, ids=str)
def test_nothing_denied_gets_through(fields: dict[str, Any]) -> None:
    """It is refused wherever it stands, and the sentence does not say it again."""
    with pytest.raises(ContentRefused) as caught:
        check_asked({"model": "m", **fields}, DENY)
    assert str(caught.value) == "The request contains something that the rules of this gateway do not allow."


def test_what_no_model_sees_is_not_looked_at() -> None:
    """Names of models, sessions and users are not said."""
    unsaid = {"model": "bomb", "user": "bomb", "session_id": "sk-1234", "previous_response_id": "sk-1234"}
    check_asked({**unsaid, "messages": [USER]}, DENY)


@pytest.mark.parametrize(
    "fields", [{"prompt": [1, 2]}, {"prompt": [[1], [2]]}, {"prompt": ["Hi", [2]]}, {"input": [1]}]
)
def test_a_prompt_of_tokens_is_refused(fields: dict[str, Any]) -> None:
    """Numbers of tokens would be a way past every rule; the field is named."""
    with pytest.raises(FieldInvalid) as caught:
        check_asked(fields, DENY)
    assert caught.value.param == next(iter(fields))
