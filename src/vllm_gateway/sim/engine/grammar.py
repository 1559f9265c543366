"""How sentences are made: an automaton over kinds of words, worked out into tables when the module is imported.

A state knows the kind of the last token, whether the sentence has its verb, and whether it is the last sentence.
`NEXT` leads from a state and the kind of a token to the next state; `CHOICES` are the tokens that may follow a state.
"""

from collections.abc import Callable
from enum import IntEnum, auto
from typing import NamedTuple

from vllm_gateway.sim.engine import tokens, words
from vllm_gateway.sim.engine.characters import CHARACTERS, first_piece, may_split
from vllm_gateway.sim.engine.tokens import ID_OF, Special


class Kind(IntEnum):
    """What a token is in a sentence."""

    START = 0
    """A special token, or whatever else a sentence may begin after, without a space."""
    STOP = auto()
    NOUN = auto()
    VERB = auto()
    ADJECTIVE = auto()
    ADVERB = auto()
    DETERMINER = auto()
    PREPOSITION = auto()
    CONJUNCTION = auto()
    PRONOUN = auto()
    CLOSER = auto()
    COMMA = auto()
    SPACE = auto()
    WIDE = auto()
    """A character of several bytes."""
    PIECE = auto()
    """A part of one."""


Tokens = tuple[int, ...]

_WORDS = {
    Kind.NOUN: words.NOUNS,
    Kind.VERB: list(map(words.present, words.VERBS)),
    Kind.ADJECTIVE: words.ADJECTIVES,
    Kind.ADVERB: words.ADVERBS,
    Kind.DETERMINER: words.DETERMINERS,
    Kind.PREPOSITION: words.PREPOSITIONS,
    Kind.CONJUNCTION: words.CONJUNCTIONS,
    Kind.PRONOUN: words.PRONOUNS,
    Kind.CLOSER: words.CLOSERS,
}
_SPACE, _STOP, _COMMA, _BREAK = ID_OF[" "], ID_OF["."], ID_OF[","], ID_OF["\n\n"]
_WIDE_ONE_IN = 10
"""Of so many nouns, one is written in characters of several bytes."""
_BREAK_ONE_IN = 8
"""Of so many sentences, one begins a paragraph."""


def _forms(spell: Callable[[str], str]) -> dict[Kind, Tokens]:
    """Return the words of each kind as one of their forms."""
    return {kind: tuple(ID_OF[spell(word)] for word in known) for kind, known in _WORDS.items()}


_OPENING = _forms(str.capitalize)
_OPENING_AFTER_STOP = _forms(lambda word: " " + word.capitalize())
_INSIDE = _forms(lambda word: " " + word)
_INSIDE |= {
    Kind.NOUN: _INSIDE[Kind.NOUN] * (_WIDE_ONE_IN - 1) + (_SPACE,) * len(words.NOUNS),
    Kind.STOP: (_STOP,),
    Kind.COMMA: (_COMMA,),
    # Half of them whole, half of them begun with a byte or with a longer piece.
    Kind.WIDE: tuple(
        token
        for character in CHARACTERS
        for token in (*(ID_OF[character.decode()],) * 2, first_piece(character, 0), first_piece(character, 1))
    ),
}

# Which kinds may follow a kind; one that is named more often comes more often. A sentence has a verb before it ends,
# hence a table for each half.
_BEFORE_VERB = {
    Kind.START: (Kind.DETERMINER, Kind.DETERMINER, Kind.DETERMINER, Kind.PRONOUN, Kind.ADJECTIVE),
    Kind.NOUN: (Kind.VERB, Kind.VERB, Kind.VERB, Kind.PREPOSITION),
    Kind.VERB: (Kind.DETERMINER,),
    Kind.ADJECTIVE: (Kind.NOUN,),
    Kind.ADVERB: (Kind.VERB,),
    Kind.DETERMINER: (Kind.NOUN, Kind.NOUN, Kind.ADJECTIVE),
    Kind.PREPOSITION: (Kind.DETERMINER,),
    Kind.CONJUNCTION: (Kind.DETERMINER, Kind.PRONOUN),
    Kind.PRONOUN: (Kind.VERB, Kind.VERB, Kind.ADVERB),
    Kind.CLOSER: (Kind.DETERMINER, Kind.PRONOUN),
    Kind.COMMA: (Kind.DETERMINER, Kind.PRONOUN),
    Kind.SPACE: (Kind.WIDE,),
    Kind.WIDE: (Kind.VERB, Kind.VERB, Kind.WIDE, Kind.WIDE),
}
_AFTER_VERB = _BEFORE_VERB | {
    Kind.NOUN: (Kind.STOP, Kind.STOP, Kind.PREPOSITION, Kind.CONJUNCTION, Kind.COMMA),
    Kind.VERB: (Kind.DETERMINER, Kind.DETERMINER, Kind.PREPOSITION, Kind.ADVERB),
    Kind.ADVERB: (Kind.STOP, Kind.PREPOSITION, Kind.CONJUNCTION),
    Kind.PRONOUN: (Kind.STOP,),
    Kind.WIDE: (Kind.STOP, Kind.STOP, Kind.WIDE, Kind.PREPOSITION),
}


def _kinds() -> tuple[Kind, ...]:
    """The kind of every token; a word of several kinds is the first of them, a stranger is a noun."""
    kinds = [Kind.PIECE if may_split(token) else Kind.NOUN for token in range(tokens.SIZE)]
    for forms in (_forms(lambda word: " " + word), _OPENING, _OPENING_AFTER_STOP):
        for kind in reversed(forms):
            for token in forms[kind]:
                kinds[token] = kind
    for character in tokens.WIDE:
        kinds[ID_OF[character]] = Kind.WIDE
    for token in (*Special, ID_OF["!"], ID_OF["?"], _BREAK):
        kinds[token] = Kind.START
    kinds[_STOP], kinds[_COMMA], kinds[_SPACE] = Kind.STOP, Kind.COMMA, Kind.SPACE
    return tuple(kinds)


class _State(NamedTuple):
    """What the text so far means for what comes next."""

    last: Kind
    has_verb: bool
    is_last: bool
    """The sentence is the last one: it began with a closer."""

    @property
    def number(self) -> int:
        return self.last * 4 + self.has_verb * 2 + self.is_last


def _next(state: _State, kind: Kind) -> _State:
    """Return the state after a token of `kind`; a sentence that has ended takes what it knew with it."""
    if kind is Kind.START:
        return _BEGINNING
    is_last = state.is_last and state.last is not Kind.STOP
    if kind is Kind.STOP:
        return _State(kind, has_verb=False, is_last=is_last)
    return _State(kind, state.has_verb or kind is Kind.VERB, is_last or kind is Kind.CLOSER)


def _choices(state: _State) -> tuple[Tokens, ...]:
    """Return the tokens that may follow, in groups of one kind."""
    opening = _BEFORE_VERB[Kind.START]
    if state.last is Kind.START:
        return tuple(_OPENING[kind] for kind in opening)
    if state.last is Kind.STOP and state.is_last:
        return ((int(Special.END),),)
    if state.last is Kind.STOP:
        groups = tuple(_OPENING_AFTER_STOP[kind] for kind in (*opening, Kind.CLOSER))
        return groups * (_BREAK_ONE_IN - 1) + ((_BREAK,),) * len(groups)
    table = _AFTER_VERB if state.has_verb else _BEFORE_VERB
    return tuple(_INSIDE[kind] for kind in table[Kind.WIDE if state.last is Kind.PIECE else state.last])


_BEGINNING = _State(Kind.START, has_verb=False, is_last=False)
_STATES = [_State(kind, has_verb, is_last) for kind in Kind for has_verb in (False, True) for is_last in (False, True)]
KIND_OF = _kinds()
NEXT = [[_next(state, kind).number for kind in Kind] for state in _STATES]
CHOICES = [_choices(state) for state in _STATES]
BEGINNING = _BEGINNING.number
"""The state in which nothing has been said."""
