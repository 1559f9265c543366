"""Made-up prompts of a wanted length, the same for the same seed."""

import random
from dataclasses import dataclass

from vllm_gateway.bench.prompts.conversation import Conversation

_TEXT = (
    "river stone light house water green morning table paper window garden summer road letter music bread silver "
    "north forest village market bridge winter simple story number field corner open quiet small long early "
    "bright cold warm round heavy gentle rapid steady narrow hollow distant certain usual ready whole answer "
    "follow carry build gather listen travel measure balance wander notice become remain return"
)
_WORDS = _TEXT.split()
"""Common words, so that most tokenizers need about one token for each."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How many words make how many tokens, as the server's own `usage` told."""

    tokens_per_word: float = 1.0
    overhead: float = 0.0
    """Tokens of a prompt that has no words: the chat template."""

    @classmethod
    def fitted(cls, short: tuple[int, int], long: tuple[int, int]) -> "Lengths":
        """Return what two prompts tell, each given as its words and its tokens."""
        tokens_per_word = (long[1] - short[1]) / (long[0] - short[0])
        if tokens_per_word <= 0:
            return cls()
        return cls(tokens_per_word, max(0.0, short[1] - short[0] * tokens_per_word))

    def words(self, tokens: int) -> int:
        """Return how many words make a whole prompt of about so many tokens."""
        return max(1, round((tokens - self.overhead) / self.tokens_per_word))

    def more_words(self, tokens: int) -> int:
        """Return how many words make about so many tokens more."""
        return max(1, round(tokens / self.tokens_per_word))


@dataclass(frozen=True, slots=True)
class Shape:
    """What made-up conversations look like."""

    input_tokens: int = 64
    """Tokens of the first prompt, and of each later turn's new text."""
    output_tokens: int = 64
    turns: int = 1
    prefix_tokens: int = 0
    """Tokens of a beginning that several conversations share; they come on top of the prompt's own."""
    prefixes: int = 1
    """How many such beginnings there are."""
    prefix_share: float = 1.0
    """The share of conversations that have one."""


class Synthetic:
    """Conversations that are made up; no two numbers and no two seeds begin alike, but for the wanted prefixes."""

    def __init__(self, shape: Shape, *, seed: int, side: str = "", lengths: Lengths | None = None) -> None:
        self._shape = shape
        self._seed = seed
        self._side = side
        """What is asked of one of two servers differs from what is asked of the other, in nothing but the words."""
        self._lengths = lengths or Lengths()

    def draw(self, number: int) -> Conversation:
        """Return one of them."""
        shape, lengths = self._shape, self._lengths
        dice = random.Random(f"{self._seed} {self._side} {number}")  # noqa: S311 - words are no secret
        first = words(dice, lengths.words(shape.input_tokens))
        further = [words(dice, lengths.more_words(shape.input_tokens)) for _ in range(shape.turns - 1)]
        opening = None
        if shape.prefix_tokens and dice.random() < shape.prefix_share:
            chosen = random.Random(f"{self._seed} prefix {dice.randrange(shape.prefixes)}")  # noqa: S311 - as above
            opening = words(chosen, lengths.more_words(shape.prefix_tokens))
        return Conversation((first, *further), opening, shape.output_tokens)


def words(dice: random.Random, count: int) -> str:
    """Return so many words."""
    return " ".join(dice.choices(_WORDS, k=count))


def sample(seed: int, count: int) -> str:
    """Return so many words, to see how many tokens they make."""
    return words(random.Random(f"{seed} sample {count}"), count)  # noqa: S311 - words are no secret
