"""The words."""

import pytest

from vllm_gateway.sim.engine import words


@pytest.mark.parametrize(
    ("verb", "form"), [("walk", "walks"), ("wash", "washes"), ("carry", "carries"), ("stay", "stays"), ("mix", "mixes")]
)
def test_the_form_after_she(verb: str, form: str) -> None:
    """Verbs get the ending that English gives them."""
    assert words.present(verb) == form


def test_each_list_has_words_and_none_twice() -> None:
    """A list of words has no repetitions, which would make a word likelier than others."""
    for listed in (words.NOUNS, words.VERBS, words.ADJECTIVES, words.ADVERBS, words.PREPOSITIONS, words.CLOSERS):
        assert listed
        assert len(set(listed)) == len(listed)
