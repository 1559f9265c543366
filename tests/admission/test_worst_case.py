"""How many tokens a request may come to."""

from typing import Any

import pytest

from vllm_gateway import codec
from vllm_gateway.admission.worst_case import MEDIA_TOKENS, WorstCase, worst_case
from vllm_gateway.dialects.reading import choices_of_prompts, understand
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.admission import Limits

CHAT = "/v1/chat/completions"
ONE_BYTE = Limits(bytes_per_token=1, assumed_reply_tokens=100)


def asked(path: str, **fields: Any) -> Asked:  # noqa: ANN401 - any field
    """Return what a body asks for."""
    body = codec.dumps(fields)
    return understand(codec.loads(body), body, path, choices=choices_of_prompts)


@pytest.mark.parametrize(
    ("path", "fields", "reply"),
    [
        (CHAT, {}, 100),
        (CHAT, {"max_tokens": 7}, 7),
        (CHAT, {"max_tokens": 7, "max_completion_tokens": 9}, 9),
        (CHAT, {"max_tokens": 7, "n": 3}, 21),
        (CHAT, {"max_tokens": "many"}, 100),
        ("/v1/completions", {"prompt": "x"}, 16),
        ("/v1/completions", {"prompt": ["x", "y"], "max_tokens": 5, "n": 2}, 20),
        ("/v1/completions", {"prompt": "x", "max_tokens": 5, "best_of": 4}, 20),
        ("/v1/responses", {"max_output_tokens": 11}, 11),
        ("/v1/messages", {"max_tokens": 12}, 12),
        ("/v1/embeddings", {"input": "x", "max_tokens": 12}, 0),
        ("/v1/rerank", {"query": "x"}, 0),
    ],
)
def test_an_answer_is_as_long_as_it_may_become(path: str, fields: dict[str, Any], reply: int) -> None:
    """What is asked for counts, for every choice; without it what vLLM or the settings take for granted."""
    assert worst_case(asked(path, **fields), ONE_BYTE, max_model_len=None).reply_tokens == reply


@pytest.mark.parametrize(
    ("limits", "reply"),
    [
        (Limits(), 1024),
        (Limits(max_tokens_cap=50), 50),
        (Limits(max_tokens_cap=50, default_max_tokens=20), 20),
    ],
)
def test_without_a_number_the_settings_tell(limits: Limits, reply: int) -> None:
    """The default that will be set comes first, then the cap, then what is assumed."""
    assert worst_case(asked(CHAT), limits, max_model_len=None).reply_tokens == reply


def test_a_context_is_the_end_of_both() -> None:
    """Neither prompt nor answer can be longer than the model's context."""
    case = worst_case(asked(CHAT, prompt="x" * 5000, max_tokens=100_000), ONE_BYTE, max_model_len=2048)
    assert case == WorstCase(2048, 2048)
    assert case.tokens == 4096


def test_a_prompt_is_measured_by_its_bytes() -> None:
    """Text counts with all that is around it, by the bytes that one token is taken to have."""
    body = asked(CHAT, messages=[{"role": "user", "content": "x" * 300}])
    assert worst_case(body, Limits(bytes_per_token=3), max_model_len=None).prompt_tokens == -(-len(body.body) // 3)


@pytest.mark.parametrize(("prompt", "tokens"), [([1, 2, 3], 3), ([[1, 2], [3]], 3)])
def test_tokens_are_counted(prompt: object, tokens: int) -> None:
    """A prompt that is tokens already needs no estimate."""
    assert worst_case(asked("/v1/completions", prompt=prompt), ONE_BYTE, max_model_len=None).prompt_tokens == tokens


def test_pictures_are_not_measured_by_their_bytes() -> None:
    """A picture of a megabyte is no million tokens."""
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    case = worst_case(asked(CHAT, messages=[{"role": "user", "content": [part, part]}]), ONE_BYTE, max_model_len=None)
    assert 2 * MEDIA_TOKENS < case.prompt_tokens < 2 * MEDIA_TOKENS + 300


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize", "/v1/messages/count_tokens"])
def test_counting_costs_no_tokens(path: str) -> None:
    """What no model works for is a request, and no token."""
    assert worst_case(asked(path, prompt="x" * 100), ONE_BYTE, max_model_len=None) == WorstCase(0, 0)
