"""How sentences are made."""

import pytest

from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.grammar import BEGINNING, CHOICES, KIND_OF, NEXT, Kind
from vllm_gateway.sim.engine.tokens import ID_OF, Special


def after(text: str) -> int:
    """Return the state after the tokens of a text."""
    state = BEGINNING
    for token in tokens.encode(text):
        state = NEXT[state][KIND_OF[token]]
    return state


def possible(text: str) -> set[int]:
    """Return every token that may follow a text."""
    return {token for group in CHOICES[after(text)] for token in group}


def test_every_state_goes_on_and_leads_to_states() -> None:
    """There is no token after which the model would not know what to say."""
    assert len(KIND_OF) == tokens.SIZE
    assert all(groups and all(groups) for groups in CHOICES)
    assert all(0 <= state < len(CHOICES) for following in NEXT for state in following)


def test_a_few_kinds() -> None:
    """Words are what a reader would say they are."""
    assert KIND_OF[ID_OF[" house"]] is Kind.NOUN
    assert KIND_OF[ID_OF[" whispers"]] is Kind.VERB
    assert KIND_OF[ID_OF["Finally"]] is Kind.CLOSER
    assert KIND_OF[ID_OF["🙂"]] is Kind.WIDE
    assert KIND_OF[0xF0] is Kind.PIECE
    assert KIND_OF[Special.ASSISTANT] is Kind.START


def test_a_sentence_ends_only_after_its_verb() -> None:
    """A noun alone is no sentence."""
    assert ID_OF["."] not in possible("The house")
    assert ID_OF["."] in possible("The house whispers. The house whispers an answer")


@pytest.mark.parametrize(
    ("text", "is_end"),
    [
        ("Finally the house whispers an answer.", True),
        ("The house whispers an answer.", False),
        ("Finally the house whispers an answer. The house whispers.", False),
        ("Finally the house whispers an answer", False),
    ],
)
def test_the_end_comes_after_the_sentence_that_announces_it(text: str, *, is_end: bool) -> None:
    """And is the only thing that may come then; what comes after another sentence is another sentence."""
    assert (possible(text) == {Special.END}) == is_end


def test_a_new_sentence_begins_with_a_capital() -> None:
    """With a space before it after another sentence, without one at the beginning."""
    assert ID_OF["The"] in possible("")
    assert ID_OF[" The"] in possible("It whispers.")
    assert ID_OF[" the"] not in possible("It whispers.")
