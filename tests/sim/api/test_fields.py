"""The fields of generation requests."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.quick import HELLO, quick
from vllm_gateway import codec
from vllm_gateway.sim.api import fields
from vllm_gateway.sim.api.chat import ChatFields
from vllm_gateway.sim.api.problems import Problem

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = [name for name in ChatFields.model_fields if name != "n"]


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    """No value of any field breaks the reader: there are wishes, or a problem with a status of 400 or 501."""
    status = 200
    try:
        read = fields.read(ChatFields, codec.dumps(body))
        assert fields.wishes(read, max_tokens=5, logprobs=None)[0].max_tokens == 5
    except Problem as problem:
        status = problem.status
    assert status in {200, 400, 501}


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
        ({"n": 0}, "n must be at least 1 and at most 16384, got 0."),
        ({"n": 2, "temperature": 0}, "n must be 1 when using greedy sampling, got 2."),
        ({"stop": ["a", ""]}, "stop cannot contain an empty string."),
        ({"stop": list("abcde")}, "List should have at most 4 items"),
        ({"cache_salt": ""}, "Parameter 'cache_salt' must be a non-empty string if provided."),
        ({"cache_salt": "a@b"}, "must not contain '@', '/', '\\\\', or NUL."),
        ({"seed": 2**63}, "Input should be less than"),
        ({"logit_bias": {"x": 1}}, "Found invalid token_id in logit_bias"),
        ({"logit_bias": {"999999": 1}}, "Token id 999999 is out of vocabulary"),
        ({"allowed_token_ids": []}, "allowed_token_ids is not None and empty!"),
        ({"allowed_token_ids": [-1]}, "Token id -1 is out of vocabulary"),
        ({"logprobs": True, "top_logprobs": -1}, "which is greater than max allowed: 20"),
    ],
)
async def test_values_out_of_range_are_refused(body: dict[str, Any], words: str) -> None:
    """Each is a 400 in vLLM's words."""
    async with quick() as sim:
        status, error = await sim.refused("/v1/chat/completions", **HELLO | body)
    assert status == 400
    assert words in error["error"]["message"]


async def test_stream_options_that_say_nothing_are_no_mistake() -> None:
    """Some clients always send them."""
    async with quick() as sim:
        await sim.post("/v1/chat/completions", **HELLO, stream_options={})


async def test_a_bias_rules_tokens_in_and_out() -> None:
    """A bias beyond all others decides."""
    async with quick() as sim:
        body = HELLO | {"max_tokens": 5, "return_token_ids": True}
        usual = (await sim.post("/v1/chat/completions", **body))["choices"][0]["token_ids"]
        banned = await sim.post("/v1/chat/completions", **body, logit_bias={str(usual[0]): -100})
        forced = await sim.post("/v1/chat/completions", **body, logit_bias={"300": 100})
    assert usual[0] not in banned["choices"][0]["token_ids"]
    assert forced["choices"][0]["token_ids"] == [300] * 5


def test_one_prompt_and_several_are_read_alike() -> None:
    """Text or ids, one or many: always lists of ids."""
    assert fields.token_ids([1, 2]) == [[1, 2]]
    assert fields.token_ids([[1, 2], [3]]) == [[1, 2], [3]]
    assert fields.token_ids(["Hello", "house"]) == [fields.token_ids("Hello")[0], fields.token_ids("house")[0]]


@pytest.mark.parametrize(("wanted", "room"), [(None, 90), (5, 5), (100, 90)])
def test_the_room_for_an_answer_is_what_the_context_leaves(wanted: int | None, room: int) -> None:
    """Never more than fits beside the prompt."""
    assert fields.room_for_answer(wanted, 10, 100) == room
