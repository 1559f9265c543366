"""Completions."""

from typing import Any

import pytest

from tests.sim.quick import ids_of, quick, text_of
from vllm_gateway.sim.engine import tokens

COMPLETE = "/v1/completions"
ONCE: dict[str, Any] = {"prompt": "Once there was", "temperature": 0}


async def test_a_stream_says_what_the_whole_answer_says() -> None:
    """The same text and tokens, sixteen of them when nobody says how many."""
    async with quick() as sim:
        whole = await sim.post(COMPLETE, **ONCE, ignore_eos=True, return_token_ids=True)
        chunks = await sim.stream(COMPLETE, **ONCE, ignore_eos=True, return_token_ids=True)
    choice = whole["choices"][0]
    assert text_of(chunks) == choice["text"]
    assert ids_of(chunks) == choice["token_ids"]
    assert len(choice["token_ids"]) == 16
    assert chunks[0]["choices"][0]["prompt_token_ids"] == choice["prompt_token_ids"] == tokens.encode(ONCE["prompt"])


async def test_a_completion_goes_on_exactly_from_any_cut() -> None:
    """Prompt and the first k ids, on another replica of the same seed, lead to the same rest, at every k."""
    async with quick() as one, quick() as other:
        body = {"temperature": 0, "ignore_eos": True, "return_token_ids": True}
        whole = (await one.post(COMPLETE, **body, prompt=ONCE["prompt"], max_tokens=150))["choices"][0]
        prompt, ids = whole["prompt_token_ids"], whole["token_ids"]
        assert any(0x80 <= token <= 0xFF for token in ids)
        for cut in range(150):
            rest = await other.post(COMPLETE, **body, prompt=prompt + ids[:cut], max_tokens=150 - cut)
            assert rest["choices"][0]["token_ids"] == ids[cut:]


async def test_a_cut_inside_a_character_tells_the_whole_prompt() -> None:
    """The trap that a gateway has to guard against: the first text begins with the decoded prompt."""
    prompt = [*tokens.encode("PROMPT: secret. Answer: hi "), 0xF0]
    async with quick() as sim:
        chunks = await sim.stream(COMPLETE, prompt=prompt, temperature=0, max_tokens=8)
    first = next(chunk["choices"][0]["text"] for chunk in chunks if chunk["choices"][0]["text"])
    assert first.startswith("PROMPT: secret. Answer: hi ")


async def test_several_prompts_and_choices_are_numbered_through() -> None:
    """Two prompts with two choices make four, prompt by prompt; a prompt counts once in the usage."""
    async with quick() as sim:
        body = {"prompt": ["Once", "The river"], "n": 2, "temperature": 1, "max_tokens": 5, "ignore_eos": True}
        whole = await sim.post(COMPLETE, **body)
        chunks = await sim.stream(COMPLETE, **body, stream_options={"include_usage": True})
    texts = [choice["text"] for choice in whole["choices"]]
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2, 3]
    assert [text_of(chunks, index) for index in range(4)] == texts
    assert whole["usage"]["prompt_tokens"] == len(tokens.encode("Once")) + len(tokens.encode("The river"))
    assert whole["usage"]["completion_tokens"] == chunks[-2]["usage"]["completion_tokens"] == 20


async def test_the_prompt_can_be_said_again() -> None:
    """`echo` puts it before the text, with its log probabilities if these are wanted; alone with `max_tokens: 0`."""
    async with quick() as sim:
        echoed = await sim.post(COMPLETE, **ONCE, max_tokens=3, echo=True, logprobs=2)
        streamed = await sim.stream(COMPLETE, **ONCE, max_tokens=3, echo=True)
        alone = await sim.post(COMPLETE, **ONCE, max_tokens=0, echo=True, logprobs=1)
    told = echoed["choices"][0]["logprobs"]
    assert echoed["choices"][0]["text"].startswith("Once there was")
    assert text_of(streamed) == echoed["choices"][0]["text"]
    assert told["token_logprobs"][0] is None
    assert "".join(told["tokens"]) == echoed["choices"][0]["text"]
    assert told["text_offset"] == [0, 4, 10, *told["text_offset"][3:]]
    assert alone["choices"][0]["text"] == "Once there was"
    assert len(alone["choices"][0]["logprobs"]["tokens"]) == 3


async def test_the_prompts_log_probabilities() -> None:
    """By id, the token itself first with its rank, as many others as wanted; the first token has none."""
    async with quick() as sim:
        told = await sim.post(COMPLETE, **ONCE, max_tokens=1, prompt_logprobs=2)
    first, *rest = told["choices"][0]["prompt_logprobs"]
    ids = tokens.encode(ONCE["prompt"])
    assert first is None
    assert [int(next(iter(entry))) for entry in rest] == ids[1:]
    assert all(2 <= len(entry) <= 3 for entry in rest)
    assert {"decoded_token": " there"}.items() <= next(iter(rest[0].values())).items()


async def test_tokens_can_be_named_by_their_ids() -> None:
    """`return_tokens_as_token_ids` names what may not be text by itself."""
    async with quick() as sim:
        told = await sim.post(COMPLETE, **ONCE, max_tokens=1, logprobs=1, return_tokens_as_token_ids=True)
    assert told["choices"][0]["logprobs"]["tokens"][0].startswith("token_id:")


async def test_usage_on_every_event_counts_up() -> None:
    """Each event tells the tokens of its own choice."""
    async with quick() as sim:
        options = {"include_usage": True, "continuous_usage_stats": True}
        chunks = await sim.stream(COMPLETE, **ONCE, max_tokens=3, stream_options=options)
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks[:-1]] == [1, 2, 3, 3]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"prompt": ""}, "Either prompt or prompt_embeds must be provided and non-empty."),
        ({"prompt": []}, "You must pass at least one prompt"),
        ({"prompt": ["x"] * 1025}, "prompt list length 1025 exceeds the maximum allowed count of 1024."),
        ({"prompt": [[1], [10**6]]}, "Token id 1000000 is out of vocabulary"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens must be at least 1, got 0."),
        ({"prompt": "x", "max_tokens": 4097}, "max_tokens=4097 cannot be greater than max_model_len=4096."),
        ({"prompt": "x", "logprobs": -2}, "`logprobs` must be a positive value or -1."),
        ({"prompt": [1] * 4097}, "your prompt contains 4097 input tokens"),
        ({"prompt": "river " * 5000}, "your prompt contains at least 4097 input tokens"),
        ({"prompt": {"a": 1}}, "validation error"),
        ({"prompt": [-1]}, "Input should be greater than or equal to 0"),
        ({"prompt": [""]}, "The decoder prompt cannot be empty"),
        ({"prompt": "x", "suffix": "y"}, "suffix is only supported for models with FIM completion rendering"),
    ],
)
async def test_what_cannot_be_is_refused(body: dict[str, Any], words: str) -> None:
    """Each refusal is a 400 in vLLM's words."""
    async with quick() as sim:
        status, error = await sim.refused(COMPLETE, **body)
    assert status == 400
    assert words in error["error"]["message"]


async def test_an_answer_ends_at_the_end_of_the_context() -> None:
    """A prompt that leaves room for two tokens gets two, whatever was wanted."""
    async with quick() as sim:
        answer = await sim.post(COMPLETE, prompt=[300] * 4094, max_tokens=100, ignore_eos=True)
    assert (answer["usage"]["completion_tokens"], answer["choices"][0]["finish_reason"]) == (2, "length")
