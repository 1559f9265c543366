"""From a conversation to its prompt."""

from typing import Any

import pytest

from vllm_gateway.sim.api import conversation
from vllm_gateway.sim.api.problems import Problem


def test_parts_are_put_together() -> None:
    """Text in parts, of OpenAI's and of Anthropic's kinds, is text."""
    parts = [{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert conversation.text_of(parts) == "a\nb"
    assert conversation.text_of(None) == ""


def test_the_assistant_may_have_said_nothing() -> None:
    """A turn that only called tools has no content; so has one whose content is left out."""
    silent: list[dict[str, Any]] = [{"role": "assistant", "content": None}, {"role": "user"}]
    assert conversation.shown(conversation.render(silent, open_reply=False)) == "<|assistant|><|end|><|user|><|end|>"


@pytest.mark.parametrize(
    ("messages", "options", "words"),
    [
        ([], {}, "Cannot apply chat template to an empty conversation."),
        ([{"content": "x"}], {}, "body.messages.0.role"),
        ([{"role": "user", "content": None}], {}, "body.messages.0.content"),
        ([{"role": "user", "content": 5}], {}, "body.messages.0.content"),
        ([{"role": "user", "content": ["x"]}], {}, "body.messages.0.content.0"),
        ([{"role": "user", "content": [{"type": "text"}]}], {}, "body.messages.0.content.0.text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], {}, "is not a multimodal model"),
        ([{"role": "user"}], {"continue_last": True}, "are not compatible"),
        ([{"role": "user"}], {"continue_last": True, "open_reply": True}, "Cannot set both"),
    ],
)
def test_what_is_no_conversation_is_refused(messages: list[Any], options: dict[str, bool], words: str) -> None:
    """Each refusal is a 400 that names the place or the rule."""
    with pytest.raises(Problem) as told:
        conversation.render(messages, **options)
    assert told.value.status == 400
    assert words in told.value.message
