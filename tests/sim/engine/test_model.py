"""The next token."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.model import GREEDY, Model, Sampling
from vllm_gateway.sim.engine.tokens import Special

MODEL = Model("m")
IDS = st.lists(st.integers(min_value=0, max_value=tokens.SIZE - 1), max_size=40)
SAMPLINGS = st.builds(Sampling, st.sampled_from([0.0, 0.7, 1.0, 2.0]), seed=st.integers(0, 9), choice=st.integers(0, 3))


def written(prompt: list[int], count: int, sampling: Sampling = GREEDY, model: Model = MODEL) -> list[int]:
    """Return the next `count` tokens, the end ignored."""
    mind = model.read(prompt)
    ids = []
    for _ in range(count):
        ids.append(mind.draw(sampling))
        mind.feed(ids[-1])
    return ids


@settings(max_examples=60)
@given(IDS, SAMPLINGS, st.integers(min_value=0, max_value=59))
def test_a_text_goes_on_from_any_cut_as_if_it_had_not_been_cut(prompt: list[int], sampling: Sampling, cut: int) -> None:
    """Reading the prompt and the first k tokens leads to the same k+1-th token and all after it."""
    whole = written(prompt, 60, sampling)
    assert written(prompt + whole[:cut], 60 - cut, sampling) == whole[cut:]


@given(IDS)
def test_name_seed_and_every_token_before_matter(prompt: list[int]) -> None:
    """Another name, another seed or another token far back leads to another text."""
    first = written([5, *prompt], 40)
    assert written([6, *prompt], 40) != first
    assert written([5, *prompt], 40, model=Model("n")) != first
    assert written([5, *prompt], 40, model=Model("m", seed=1)) != first


def test_a_reply_ends_by_itself() -> None:
    """Replies have plausible lengths: most some sentences, none without end."""
    lengths = []
    for number in range(200):
        ids = written(tokens.render_chat([("user", f"Question {number}")]), 2000)
        lengths.append(ids.index(Special.END))
    assert 20 < sorted(lengths)[100] < 120
    assert min(lengths) >= 4
    assert max(lengths) < 1500


def test_a_text_is_good_utf8_and_has_characters_cut_into_pieces() -> None:
    """Streams are now and then cut inside a character, and never leave one unfinished for long."""
    ids = written(tokens.encode("Once"), 3000)
    text = tokens.decode(ids[:2990])
    assert "\N{REPLACEMENT CHARACTER}" not in text[:-1]
    assert sum(0x80 <= token <= 0xFF for token in ids) > 30
    assert sum(len(tokens.decode([token]).encode()) > 1 and not tokens.decode([token]).isascii() for token in ids) > 30


def test_a_prompt_that_ends_inside_a_character_is_continued_with_its_next_byte() -> None:
    """The first new token finishes the character."""
    token = written([*tokens.encode("Hi "), 0xF0, 0x9F], 1)[0]
    assert 0x80 <= token < 0xC0


def test_the_seed_matters_only_where_there_is_chance() -> None:
    """At temperature 0 the seed changes nothing, above it does."""
    prompt = tokens.encode("Hello")
    assert written(prompt, 30, Sampling(0.0, seed=1)) == written(prompt, 30, Sampling(0.0, seed=2))
    assert written(prompt, 30, Sampling(1.0, seed=1)) != written(prompt, 30, Sampling(1.0, seed=2))
    assert written(prompt, 30, Sampling(1.0, seed=1)) != written(prompt, 30, Sampling(1.0, seed=1, choice=1))


@pytest.mark.parametrize("sampling", [Sampling(1.5, seed=3, top_k=1), Sampling(1.5, seed=3, top_p=0.01)])
def test_narrow_sampling_takes_the_likeliest(sampling: Sampling) -> None:
    """A single candidate leaves nothing to chance."""
    assert written(tokens.encode("Hello"), 40, sampling) == written(tokens.encode("Hello"), 40)


@given(IDS, st.integers(min_value=1, max_value=20))
def test_candidates_are_different_ordered_and_no_more_than_certain(prompt: list[int], count: int) -> None:
    """The likeliest come first, none comes twice, and together they are not likelier than one."""
    found = MODEL.read(prompt).candidates(count)
    assert len({token for token, _ in found}) == count
    assert found[0][0] == MODEL.read(prompt).draw()
    assert sum(math.exp(logprob) for _, logprob in found) <= 1
    assert all(likelier >= other for (_, likelier), (_, other) in pairwise(found[1:]))


def test_a_token_that_is_no_candidate_is_unlikely() -> None:
    """What the model would not say has a low probability, and always the same."""
    mind = MODEL.read(tokens.encode("Hello"))
    assert mind.logprob(Special.TOOL) == mind.logprob(Special.TOOL) < -11
    assert mind.logprob(mind.draw()) == mind.candidates(1)[0][1]


@given(IDS, st.integers(min_value=1, max_value=20))
def test_the_first_candidate_is_the_likeliest(prompt: list[int], count: int) -> None:
    """What greedy decoding draws has the highest probability of all."""
    found = MODEL.read(prompt).candidates(count)
    assert all(likelier >= other for (_, likelier), (_, other) in pairwise(found))
