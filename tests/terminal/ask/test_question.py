"""What is asked."""

import pytest

from vllm_gateway.terminal.ask.question import Question, joined
from vllm_gateway.terminal.parameters import Parameters


def test_a_question_alone_brings_its_own_system_prompt() -> None:
    """It goes to chat completions, with the usage asked for where it is streamed."""
    question = Question("Why?", model="m", system="Be brief.", parameters=Parameters(seed=1), is_streamed=False)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert question.path == "/v1/chat/completions"
    assert question.body() == {"model": "m", "messages": messages, "seed": 1}
    assert Question("Why?").body()["stream_options"] == {"include_usage": True}


def test_a_question_of_a_conversation_is_only_what_is_said_next() -> None:
    """The conversation has its system prompt already."""
    question = Question("Why?", system="Be brief.", session="sess_1", is_streamed=False)
    assert question.path == "/v1/sessions/sess_1/chat"
    assert question.body() == {"message": "Why?"}


def test_what_is_typed_comes_before_what_is_piped() -> None:
    """Either alone will do; neither is a mistake."""
    assert joined("What failed?", "log\n") == "What failed?\n\nlog"
    assert joined(None, "  indented\n") == "  indented"
    assert joined("x", " \n") == "x"
    with pytest.raises(ValueError, match="Nothing was asked"):
        joined(None, " \n")
