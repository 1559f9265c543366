"""Which answers may go on from another replica."""

from typing import Any

import pytest

from tests.dialects.recovery.legs import CHAT, COMPLETIONS, asked_for
from vllm_gateway.dialects.recovery.safety import Ways, ways_of
from vllm_gateway.settings.fleet import Resume

TEXT = [{"role": "user", "content": "Hello"}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def ways(resume: Resume | None = None, path: str = CHAT, **fields: Any) -> Ways:  # noqa: ANN401 - any fields
    """Return how the stream goes on that such a request asks for."""
    prompt = {"messages": TEXT} if path == CHAT else {"prompt": "Hello"}
    return ways_of(asked_for(path, {"model": "m", "stream": True, **prompt, **fields}), resume or Resume())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 0.7, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1},
        {"stop": ["a", "b"], "include_stop_str_in_output": True, "stop_token_ids": [7], "ignore_eos": True},
        {"min_tokens": 5, "max_completion_tokens": 9, "logit_bias": {"5": 1}},
        {"n": 1, "logprobs": False, "top_logprobs": 0, "presence_penalty": 0, "frequency_penalty": 0.0},
        {"tools": TOOLS, "tool_choice": "none", "response_format": {"type": "text"}},
        {"seed": None, "response_format": None, "tools": None, "unheard_of": None},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
        {"temperature": 0, "seed": 5},
        {"user": "me", "metadata": {}, "chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "low"},
    ],
)
def test_by_ids(fields: dict[str, Any]) -> None:
    """What each token follows from is the tokens before it alone."""
    assert ways(**fields).by_ids
    assert ways(**fields).reason == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2, "temperature": 1},
        {"presence_penalty": 0.5},
        {"frequency_penalty": 0.5},
        {"bad_words": ["no"]},
        {"repetition_detection": {"max_pattern_size": 5}},
        {"logprobs": True},
        {"prompt_logprobs": 1},
        {"echo": True},
        {"tools": TOOLS},
        {"tools": TOOLS, "tool_choice": "required"},
        {"response_format": {"type": "json_object"}},
        {"structured_outputs": {"regex": "a*"}},
        {"use_beam_search": True},
        {"seed": 5, "temperature": 0.5},
        {"seed": 5},
        {"stop": "a", "min_tokens": 5},
        {"unheard_of": 1},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
    ],
)
def test_not_by_ids(fields: dict[str, Any]) -> None:
    """What depends on more than the tokens, and what nobody knows, does not go on by ids; the reason is a word."""
    way = ways(**fields)
    assert not way.by_ids
    assert way.reason.isidentifier()


def test_prompts() -> None:
    """A completion of one prompt goes on by ids, of several it does not."""
    assert ways(path=COMPLETIONS).by_ids
    assert ways(path=COMPLETIONS, prompt=[1, 2]).by_ids
    assert ways(path=COMPLETIONS, prompt=["a", "b"]).reason == "prompt"
    assert ways(path=COMPLETIONS, prompt=[[1], [2]]).reason == "prompt"
    assert ways(path=COMPLETIONS, logprobs=0).reason == "logprobs"


@pytest.mark.parametrize(
    ("fields", "is_repeatable"),
    [
        ({}, False),
        ({"temperature": 0}, True),
        ({"temperature": 0.0, "tools": TOOLS, "logprobs": True, "response_format": {"type": "json_object"}}, True),
        ({"temperature": 1, "seed": 0}, True),
        ({"temperature": 1}, False),
        ({"temperature": 0, "use_beam_search": True}, False),
        ({"temperature": 0, "modalities": ["text", "audio"]}, False),
    ],
)
def test_by_replay(fields: dict[str, Any], is_repeatable: bool) -> None:
    """What has the same answer every time is repeated, whatever it asks for."""
    assert ways(**fields).by_replay == is_repeatable


def test_seeds_that_may_be_left() -> None:
    """Where the settings allow it, an answer with a seed goes on with other draws."""
    assert ways(Resume(seeded=True), seed=5).by_ids
    assert ways(Resume(seeded=True), seed=5).by_replay


def test_off() -> None:
    """Nothing goes on when the settings say so."""
    assert ways(Resume(enabled=False), temperature=0) == Ways(by_ids=False, by_replay=False, reason="off")
