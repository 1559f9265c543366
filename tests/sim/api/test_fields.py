"""The fields of generation requests."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.quick import HELLO, quick
from vllm_gateway import codec
from vllm_gateway.sim.api import fields, wishes
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
        assert wishes.wishes(read, max_tokens=5, logprobs=None)[0].max_tokens == 5
    except Problem as problem:
        status = problem.status
    assert status in {200, 400, 501}


async def test_stream_options_that_say_nothing_are_no_mistake() -> None:
    """Some clients always send them."""
    async with quick() as sim:
        await sim.post("/v1/chat/completions", **HELLO, stream_options={})


def test_one_prompt_and_several_are_read_alike() -> None:
    """Text or ids, one or many: always lists of ids."""
    assert fields.token_ids([1, 2]) == [[1, 2]]
    assert fields.token_ids([[1, 2], [3]]) == [[1, 2], [3]]
    assert fields.token_ids(["Hello", "house"]) == [fields.token_ids("Hello")[0], fields.token_ids("house")[0]]
