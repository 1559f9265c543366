"""Tokenize and detokenize."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sim.quick import HELLO, quick
from vllm_gateway.sim.engine import tokens


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=50))
async def test_a_text_comes_back(text: str) -> None:
    """Tokenizing and detokenizing over the wire gives the same text."""
    async with quick() as sim:
        told = await sim.post("/tokenize", prompt=text)
        assert (await sim.post("/detokenize", tokens=told["tokens"]))["prompt"] == text
        assert told["count"] == len(told["tokens"])


async def test_a_conversation_has_as_many_tokens_as_its_reply_says() -> None:
    """The count is the usage of the chat, to the token, with or without the reply opened."""
    async with quick() as sim:
        told = await sim.post("/tokenize", messages=HELLO["messages"])
        shorter = await sim.post("/tokenize", messages=HELLO["messages"], add_generation_prompt=False)
        usage = (await sim.post("/v1/chat/completions", **HELLO, max_tokens=1))["usage"]
    assert usage["prompt_tokens"] == told["count"] == shorter["count"] + 1


async def test_special_tokens_are_named() -> None:
    """Detokenizing shows the chat template, which a stream does not."""
    async with quick() as sim:
        told = await sim.post("/tokenize", messages=HELLO["messages"], return_token_strs=True)
        assert (await sim.post("/detokenize", tokens=told["tokens"]))["prompt"] == "<|user|>Hello<|end|><|assistant|>"
    assert told["token_strs"] == ["<|user|>", "Hello", "<|end|>", "<|assistant|>"]


async def test_an_id_that_is_no_token_has_no_text() -> None:
    """As in vLLM, which leaves it out; a negative one is refused."""
    async with quick() as sim:
        assert (await sim.post("/detokenize", tokens=[tokens.SIZE, ord("a")]))["prompt"] == "a"
        assert (await sim.refused("/detokenize", tokens=[-1]))[0] == 400


async def test_the_last_message_can_be_left_open() -> None:
    """Only with the reply not opened as well, which has to be said."""
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Well"}]
    body = {"messages": turns, "continue_final_message": True}
    async with quick() as sim:
        told = await sim.post("/tokenize", **body, add_generation_prompt=False)
        assert tokens.decode(told["tokens"]) == "HelloWell"
        assert tokens.is_special(told["tokens"][-1]) is False
        assert (await sim.refused("/tokenize", **body))[0] == 400
