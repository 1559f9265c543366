"""Ranges and defaults."""

from typing import Any

import pytest

from tests.sim.quick import HELLO, quick
from vllm_gateway.sim.api import wishes


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"temperature": -0.5}, "temperature must be non-negative, got -0.5. (parameter=temperature, value=-0.5)"),
        ({"temperature": 2.5}, "temperature must be in [0, 2], got 2.5."),
        ({"top_p": 0}, "top_p must be in (0, 1], got 0.0."),
        ({"top_k": -2}, "top_k must be 0 (disable), or at least 1, got -2."),
        ({"presence_penalty": 3}, "presence_penalty must be in [-2, 2], got 3.0."),
        ({"frequency_penalty": -3}, "frequency_penalty must be in [-2, 2], got -3.0."),
        ({"min_tokens": -1}, "min_tokens must be greater than or equal to 0, got -1."),
        ({"min_tokens": 9, "max_tokens": 5}, "min_tokens must be less than or equal to max_tokens=5, got 9."),
        ({"n": 0}, "n must be at least 1, got 0."),
        ({"n": 2, "temperature": 0}, "n must be 1 when using greedy sampling, got 2."),
        ({"n": 16385, "temperature": 1}, "n must be at most 16384, got 16385."),
        ({"min_p": 2}, "min_p must be in [0, 1], got 2.0."),
        ({"repetition_penalty": 0}, "repetition_penalty must be greater than zero, got 0.0."),
        ({"stop": ""}, "stop cannot contain an empty string."),
        ({"stop": ["a", ""]}, "stop cannot contain an empty string."),
        ({"stop": list("abcde")}, "List should have at most 4 items"),
        ({"cache_salt": ""}, "Parameter 'cache_salt' must be a non-empty string if provided."),
        ({"cache_salt": "a@b"}, "must not contain '@', '/', '\\\\', or NUL."),
        ({"seed": 2**63}, "Input should be less than or equal to 9223372036854775807"),
        ({"logit_bias": {"x": 1}}, "cannot be converted to integer token IDs: ['x']"),
        ({"logit_bias": {"999999": 1}}, "token_id(s) [999999] in logit_bias contain out-of-vocab token ids."),
        ({"allowed_token_ids": []}, "allowed_token_ids is not None and empty!"),
        ({"allowed_token_ids": [-1]}, "allowed_token_ids contains out-of-vocab token id!"),
        ({"logprobs": True, "top_logprobs": -1}, "which is greater than max allowed: 20"),
    ],
)
async def test_values_out_of_range_are_refused(body: dict[str, Any], words: str) -> None:
    """Each is a 400 in vLLM's words."""
    async with quick() as sim:
        status, error = await sim.refused("/v1/chat/completions", **HELLO | body)
    assert status == 400
    assert words in error["error"]["message"]


async def test_a_bias_rules_tokens_in_and_out() -> None:
    """A bias beyond all others decides."""
    async with quick() as sim:
        body = HELLO | {"max_tokens": 5, "return_token_ids": True}
        usual = (await sim.post("/v1/chat/completions", **body))["choices"][0]["token_ids"]
        banned = await sim.post("/v1/chat/completions", **body, logit_bias={str(usual[0]): -100})
        forced = await sim.post("/v1/chat/completions", **body, logit_bias={"300": 100})
    assert usual[0] not in banned["choices"][0]["token_ids"]
    assert forced["choices"][0]["token_ids"] == [300] * 5


@pytest.mark.parametrize(("wanted", "room"), [(None, 90), (5, 5), (100, 90)])
def test_the_room_for_an_answer_is_what_the_context_leaves(wanted: int | None, room: int) -> None:
    """Never more than fits beside the prompt."""
    assert wishes.room_for_answer(wanted, 10, 100) == room
