"""Bounds on single fields: at the limit, one more, and what is no number at all (B-07)."""

from typing import Any

import pytest

from tests.admission.rules.bodies import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, understood
from vllm_gateway.admission.rules.fields import MAX_TOKENS, Fields
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.settings.admission import Limits, Rules

USUAL = Rules()
HUGE = 10**30
MESSAGE = {"role": "user", "content": "x"}
NUMBERS: list[tuple[str, str, int, int]] = [
    (CHAT, "n", 1, USUAL.max_choices),
    (COMPLETIONS, "n", 1, USUAL.max_choices),
    (COMPLETIONS, "best_of", 1, USUAL.max_choices),
    (CHAT, "max_tokens", 0, MAX_TOKENS),
    (CHAT, "max_completion_tokens", 0, MAX_TOKENS),
    (COMPLETIONS, "max_tokens", 0, MAX_TOKENS),
    (RESPONSES, "max_output_tokens", 0, MAX_TOKENS),
    (MESSAGES, "max_tokens", 0, MAX_TOKENS),
    (CHAT, "min_tokens", 0, MAX_TOKENS),
    (COMPLETIONS, "logprobs", 0, USUAL.max_logprobs),
    (CHAT, "top_logprobs", 0, USUAL.max_logprobs),
    (RESPONSES, "top_logprobs", 0, USUAL.max_logprobs),
    (CHAT, "prompt_logprobs", 0, USUAL.max_logprobs),
    (COMPLETIONS, "prompt_logprobs", 0, USUAL.max_logprobs),
]
"""Route, field, lowest and highest value."""
LISTS: list[tuple[str, str, object, int]] = [
    (CHAT, "stop", "x", USUAL.max_stops),
    (COMPLETIONS, "stop", "x", USUAL.max_stops),
    (MESSAGES, "stop_sequences", "x", USUAL.max_stops),
    (CHAT, "bad_words", "x", USUAL.max_stops),
    (CHAT, "messages", MESSAGE, USUAL.max_messages),
    (MESSAGES, "messages", MESSAGE, USUAL.max_messages),
    ("/tokenize", "messages", MESSAGE, USUAL.max_messages),
    (RESPONSES, "input", MESSAGE, USUAL.max_messages),
    (CHAT, "tools", {"type": "function"}, USUAL.max_tools),
    (RESPONSES, "tools", {"type": "function"}, USUAL.max_tools),
    (MESSAGES, "tools", {"name": "x"}, USUAL.max_tools),
    (CHAT, "allowed_token_ids", 7, USUAL.max_logit_bias),
    (CHAT, "stop_token_ids", 7, USUAL.max_logit_bias),
    (COMPLETIONS, "logprob_token_ids", 7, USUAL.max_logit_bias),
    (COMPLETIONS, "prompt", "x", USUAL.max_prompts),
    (COMPLETIONS, "prompt", [1, 2], USUAL.max_prompts),
    (EMBEDDINGS, "input", "x", USUAL.max_prompts),
    ("/v1/rerank", "documents", "x", USUAL.max_prompts),
    ("/v1/score", "text_2", "x", USUAL.max_prompts),
]
"""Route, field, an entry, and how many of them it may have."""


def check(path: str, fields: dict[str, Any], rules: Rules = USUAL, limits: Limits | None = None) -> None:
    """Hold a body to its bounds."""
    Fields(rules, limits or Limits()).check(understood(path, **fields))


def refused(path: str, name: str, value: object) -> str:
    """Return the sentence of a refusal; the field is to blame."""
    with pytest.raises(FieldInvalid) as refusal:
        check(path, {name: value})
    assert (refusal.value.status, refusal.value.param) == (400, name)
    assert f"'{name}'" in refusal.value.message
    return refusal.value.message


@pytest.mark.parametrize(("path", "name", "least", "most"), NUMBERS)
def test_numbers_have_bounds(path: str, name: str, least: int, most: int) -> None:
    """B-07: the bounds themselves pass, and so does null; the next number is refused with the bounds."""
    for value in (least, most, None):
        check(path, {name: value})
    for value in (least - 1, -1, most + 1, HUGE, -HUGE):
        assert f"from {least} to {most}" in refused(path, name, value)


@pytest.mark.parametrize(("path", "name", "least", "most"), NUMBERS)
@pytest.mark.parametrize("value", [1.5, "1", True, [1], {"1": 1}, 1e300])
def test_what_is_no_whole_number_is_refused(path: str, name: str, least: int, most: int, value: object) -> None:
    """B-07: fractions, texts, truth values and the rest; 1.0 is whole."""
    assert least <= most
    refused(path, name, value)
    check(path, {name: 1.0})


def test_several_answers_are_not_asked_for_by_a_fraction() -> None:
    """The gateway counts them too, and reads 2.0 as no count."""
    refused(CHAT, "n", 2.0)


@pytest.mark.parametrize("value", [True, False, 0, 1, None])
def test_logprobs_of_a_chat_are_wanted_or_not(value: object) -> None:
    """B-07: a chat takes true and false where a completion takes a number."""
    check(CHAT, {"logprobs": value})


@pytest.mark.parametrize("value", [2, -1, 5, "true", [], HUGE])
def test_logprobs_of_a_chat_are_no_number(value: object) -> None:
    """B-07: what is neither true nor false is refused."""
    refused(CHAT, "logprobs", value)


@pytest.mark.parametrize(("path", "name", "entry", "most"), LISTS)
def test_lists_have_bounds(path: str, name: str, entry: object, most: int) -> None:
    """B-07: so many entries pass, one more does not, and the sentence tells how many may be."""
    check(path, {name: [entry] * most})
    if name != "input":
        check(path, {name: None})
    assert str(most) in refused(path, name, [entry] * (most + 1))


@pytest.mark.parametrize("name", ["messages", "tools", "stop", "bad_words", "allowed_token_ids", "logit_bias"])
@pytest.mark.parametrize("value", [7, 1.5, True])
def test_what_is_no_list_is_refused(name: str, value: object) -> None:
    """B-07: a bound on its entries could not be held."""
    refused(CHAT, name, value)


def test_stop_words_are_short_texts() -> None:
    """B-07: one text or several, each of so many characters at most, and nothing but texts."""
    longest = USUAL.max_stop_characters
    for value in ("x" * longest, ["x" * longest, ""]):
        check(CHAT, {"stop": value})
    for value in ("x" * (longest + 1), ["x", "x" * (longest + 1)]):
        assert str(longest) in refused(CHAT, "stop", value)
    refused(CHAT, "stop", [1])
    refused(CHAT, "stop", [None])
    refused(CHAT, "bad_words", "one")


def test_tokens_have_a_bound_on_their_biases() -> None:
    """B-07: so many tokens pass, one more does not."""
    check(CHAT, {"logit_bias": {str(token): 1 for token in range(USUAL.max_logit_bias)}})
    refused(CHAT, "logit_bias", {str(token): 1 for token in range(USUAL.max_logit_bias + 1)})
    refused(CHAT, "logit_bias", [])


def test_a_prompt_of_tokens_is_one_prompt() -> None:
    """However many tokens it has."""
    check(COMPLETIONS, {"prompt": [7] * 5_000})
    check(EMBEDDINGS, {"input": [7] * 5_000})


def test_parts_of_a_score_are_counted() -> None:
    """A list of parts within an object counts as a list."""
    check("/v1/score", {"data_2": {"content": [{"type": "text"}] * USUAL.max_prompts}})
    refused("/v1/score", "data_2", {"content": [{"type": "text"}] * (USUAL.max_prompts + 1)})


def test_the_length_of_answers_has_a_cap() -> None:
    """`limits.max_tokens_cap` bounds it under each of its names."""
    for path, name in [(CHAT, "max_tokens"), (CHAT, "max_completion_tokens"), (RESPONSES, "max_output_tokens")]:
        check(path, {name: 100}, limits=Limits(max_tokens_cap=100))
        with pytest.raises(FieldInvalid, match="from 0 to 100"):
            check(path, {name: 101}, limits=Limits(max_tokens_cap=100))


def test_bounds_are_settings() -> None:
    """What is refused with the usual ones may be allowed, and the other way round."""
    check(CHAT, {"n": 40, "top_logprobs": 50}, Rules(max_choices=40, max_logprobs=50))
    with pytest.raises(FieldInvalid, match="from 0 to 0"):
        check(CHAT, {"top_logprobs": 1}, Rules(max_logprobs=0))


def test_other_fields_are_the_replicas_to_judge() -> None:
    """Whatever they hold."""
    check(CHAT, {"temperature": "hot", "top_k": -7, "unheard_of": [1] * 5_000, "user": HUGE})


def test_what_is_said_in_a_session_is_counted() -> None:
    """Several messages at once are messages like any others."""
    messages = [MESSAGE] * 3
    with pytest.raises(FieldInvalid) as refusal:
        check("/v1/sessions/{id}/chat", {"messages": messages}, Rules(max_messages=2))
    assert refusal.value.param == "messages"
    check("/v1/sessions/{id}/chat", {"messages": messages}, Rules(max_messages=3))
