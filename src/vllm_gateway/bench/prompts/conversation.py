"""What is said: one conversation of one or several turns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a caller says; the answers in between are the model's own."""

    turns: tuple[str, ...]
    opening: str | None = None
    """What the model is told before the first turn; the same for all who share a prefix."""
    max_tokens: int | None = None
    """The longest answer to each turn; None leaves it to the run."""

    def opened(self) -> list[Mapping[str, Any]]:
        """Return the messages that stand before the first turn."""
        return [{"role": "system", "content": self.opening}] if self.opening is not None else []


class Source(Protocol):
    """Where conversations come from; the same number gives the same one."""

    def draw(self, number: int) -> Conversation:
        """Return one of them."""
        ...


class Listed:
    """Conversations of a file, one after the other and again from the beginning."""

    def __init__(self, listed: Sequence[Conversation]) -> None:
        self._listed = listed

    def __len__(self) -> int:
        return len(self._listed)

    def draw(self, number: int) -> Conversation:
        """Return one of them."""
        return self._listed[number % len(self._listed)]


class Salted:
    """Conversations that begin with a word of their own, so that none is answered out of another's prefix cache."""

    def __init__(self, source: Source, salt: str) -> None:
        self._source = source
        self._salt = salt

    def draw(self, number: int) -> Conversation:
        """Return one of them."""
        drawn = self._source.draw(number)
        word = f"[{self._salt}-{number}] "
        if drawn.opening is not None:
            return Conversation(drawn.turns, word + drawn.opening, drawn.max_tokens)
        return Conversation((word + drawn.turns[0], *drawn.turns[1:]), None, drawn.max_tokens)
