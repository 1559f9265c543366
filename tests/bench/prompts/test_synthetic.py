"""Made-up prompts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.bench.prompts.synthetic import Lengths, Shape, Synthetic, sample


def source(shape: Shape, **changes: object) -> Synthetic:
    """Return made-up conversations of a shape."""
    told: dict[str, object] = {"seed": 1} | changes
    return Synthetic(shape, **told)  # type: ignore[arg-type] # any argument


def test_prompts_are_repeatable_and_all_different() -> None:
    """The same seed and number give the same; other seeds, numbers and sides give others."""
    shape = Shape(50, 9)
    drawn = [
        source(shape, **told).draw(number).turns[0]
        for told in ({}, {"seed": 2}, {"side": "direct"})
        for number in range(20)
    ]
    assert len({text[:40] for text in drawn}) == 60
    assert drawn[3] == source(shape).draw(3).turns[0]
    assert source(shape).draw(3).max_tokens == 9


def test_shared_beginnings_are_shared() -> None:
    """By as many as wanted, over both sides; the rest have none."""
    shape = Shape(8, 8, prefix_tokens=20, prefixes=3, prefix_share=0.5)
    openings = [source(shape, side=side).draw(number).opening for side in ("a", "b") for number in range(200)]
    assert len(set(openings) - {None}) == 3
    assert 120 < openings.count(None) < 280
    assert {len(text.split()) for text in openings if text} == {20}


def test_turns_are_different_texts() -> None:
    """Each as long as wanted."""
    turns = source(Shape(10, 8, turns=3)).draw(0).turns
    assert len(set(turns)) == 3
    assert {len(turn.split()) for turn in turns} == {10}


@given(st.floats(0.5, 4), st.integers(0, 60), st.integers(100, 4000))
def test_lengths_are_learned_from_two_prompts(tokens_per_word: float, overhead: int, wanted: int) -> None:
    """However many tokens a word has, and whatever the chat template adds."""

    def tokens(words: int) -> int:
        return round(words * tokens_per_word) + overhead

    lengths = Lengths.fitted((16, tokens(16)), (400, tokens(400)))
    assert tokens(lengths.words(wanted)) == pytest.approx(wanted, rel=0.03, abs=5)
    assert tokens(lengths.more_words(wanted)) - overhead == pytest.approx(wanted, rel=0.03, abs=5)


def test_a_server_that_counts_strangely_is_not_believed() -> None:
    """A longer prompt cannot have fewer tokens."""
    assert Lengths.fitted((16, 20), (400, 20)) == Lengths()
    assert Lengths(1.0, 50.0).words(10) == 1


def test_a_sample_has_the_wanted_words() -> None:
    """To see how many tokens they make."""
    assert len(sample(1, 16).split()) == 16
