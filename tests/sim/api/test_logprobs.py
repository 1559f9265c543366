"""The two shapes of log probabilities."""

from vllm_gateway.sim.api.logprobs import Noted, chat_logprobs, completion_logprobs
from vllm_gateway.sim.engine.tokens import ID_OF

HOUSE, RIVER = ID_OF[" house"], ID_OF[" river"]
NOTED: list[Noted] = [(HOUSE, -0.5, [(HOUSE, -0.5), (RIVER, -1.5)]), (0xF0, -2.0, [(RIVER, -0.25)])]


def test_a_chat_names_tokens_with_their_bytes() -> None:
    """Half a character is named by the replacement character, as vLLM does."""
    told = chat_logprobs(NOTED, as_ids=False)["content"]
    assert {"token": " house"}.items() <= told[0].items()
    assert told[0]["bytes"] == list(b" house")
    assert [other["logprob"] for other in told[0]["top_logprobs"]] == [-0.5, -1.5]
    assert {"token": "\N{REPLACEMENT CHARACTER}"}.items() <= told[1].items()


def test_a_completion_adds_the_token_that_was_taken() -> None:
    """The alternatives hold it even where it was none of the likeliest."""
    told = completion_logprobs(NOTED, as_ids=True, offset=10)
    assert told["top_logprobs"][1] == {f"token_id:{RIVER}": -0.25, "token_id:240": -2.0}
    assert told["text_offset"] == [10, 10 + len(f"token_id:{HOUSE}")]


def test_the_first_token_of_a_prompt_has_none() -> None:
    """Nothing came before it."""
    told = completion_logprobs([(HOUSE, None, [])], as_ids=False)
    assert (told["token_logprobs"], told["top_logprobs"]) == ([None], [None])
