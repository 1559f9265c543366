"""An answer, put together from the events in which it comes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_THINKING = ("reasoning", "reasoning_content")
"""What vLLM calls a model's thoughts, and what it called them before."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What one event adds."""

    text: str = ""
    thought: str = ""


@dataclass(slots=True)
class Reply:
    """What has been answered so far. Times are those of the caller's clock."""

    asked_at: float
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    first_at: float | None = None
    """When the first token came, a thought too."""
    last_at: float | None = None
    finish_reason: str | None = None
    model: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The answer without its thoughts."""
        return "".join(self.texts)

    @property
    def thinking(self) -> str:
        """What the model thought before it answered."""
        return "".join(self.thoughts)

    def take(self, event: Mapping[str, Any], now: float) -> Delta:
        """Add an event of a stream, and return what it adds."""
        choice = _choice(event)
        self._note(event, choice)
        delta = _said(choice.get("delta"))
        if delta.text or delta.thought:
            self.first_at = now if self.first_at is None else self.first_at
            self.last_at = now
            self.texts += [delta.text] if delta.text else []
            self.thoughts += [delta.thought] if delta.thought else []
        return delta

    def take_whole(self, completion: Mapping[str, Any], now: float) -> Delta:
        """Take an answer that comes in one piece."""
        choice = _choice(completion)
        self._note(completion, choice)
        delta = _said(choice.get("message"))
        self.texts, self.thoughts, self.last_at = [delta.text], [delta.thought], now
        return delta

    @property
    def ttft_s(self) -> float | None:
        """How long the first token took."""
        return None if self.first_at is None else self.first_at - self.asked_at

    @property
    def took_s(self) -> float:
        """How long all that has come took."""
        return (self.last_at or self.asked_at) - self.asked_at

    @property
    def tokens_per_s(self) -> float | None:
        """How fast tokens came after the first one; None when too few came to tell."""
        tokens = self.count("completion_tokens")
        spent_s = (self.last_at or 0.0) - (self.first_at or 0.0)
        return None if self.first_at is None or tokens is None or tokens < 2 or spent_s <= 0 else (tokens - 1) / spent_s  # noqa: PLR2004 - between two

    @property
    def cached_tokens(self) -> int | None:
        """How many tokens of the prompt the replica knew already, if it tells."""
        details = self.usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        return cached if isinstance(cached, int) else None

    def count(self, name: str) -> int | None:
        """Return a number of the usage, if it is told."""
        found = self.usage.get(name)
        return found if isinstance(found, int) else None

    def _note(self, told: Mapping[str, Any], choice: Mapping[str, Any]) -> None:
        model, usage, reason = told.get("model"), told.get("usage"), choice.get("finish_reason")
        self.model = model if isinstance(model, str) else self.model
        self.usage = usage if isinstance(usage, dict) else self.usage
        self.finish_reason = reason if isinstance(reason, str) else self.finish_reason


def _choice(told: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = told.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _said(message: object) -> Delta:
    if not isinstance(message, dict):
        return Delta()
    text = message.get("content")
    thought = next((message[name] for name in _THINKING if isinstance(message.get(name), str)), "")
    return Delta(text if isinstance(text, str) else "", thought)
