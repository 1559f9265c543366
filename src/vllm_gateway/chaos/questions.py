"""What callers ask: chats and completions, streamed and not, in several scripts."""

from dataclasses import dataclass
from typing import Any

from vllm_gateway.chaos.fleet import CHAT, COMPLETIONS, CONTEXT_TOKENS, MODEL

_ANSWER_TOKENS = 32
_TOPICS = (
    "the sea at night",
    "Öl, Käse und Brötchen",
    "雪の夜と猫",
    "🐢 and 🐇 in a race",
    "лес зимой",
    "a house with ten doors",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of asking."""

    path: str
    is_stream: bool
    asks_usage: bool = True


CHAT_STREAM = Kind(CHAT, is_stream=True)
COMPLETION_STREAM = Kind(COMPLETIONS, is_stream=True)
QUIET_STREAM = Kind(CHAT, is_stream=True, asks_usage=False)
CHAT_WHOLE = Kind(CHAT, is_stream=False)
EVERY_KIND = (CHAT_STREAM, CHAT_WHOLE, COMPLETION_STREAM, QUIET_STREAM)


@dataclass(frozen=True, slots=True)
class Question:
    """One request."""

    path: str
    body: dict[str, Any]
    mark: str = ""
    """Stands in the prompt and nowhere else, so that its attempts can be found again."""


def question(
    kind: Kind, number: int, *, mark: str = "", model: str = MODEL, max_tokens: int = _ANSWER_TOKENS
) -> Question:
    """Return the question of that number; the same number and mark ask the same."""
    text = f"Tell me about {_TOPICS[number % len(_TOPICS)]}. {mark}".rstrip()
    return _asked(kind, text, mark, model, max_tokens)


def too_long(kind: Kind, number: int, *, mark: str, model: str) -> Question:
    """Return a question that is too long for the model, and not for the one with the larger context."""
    text = f"Sum up: {'one two three four five ' * (CONTEXT_TOKENS // 4)}{number}. {mark}"
    return _asked(kind, text, mark, model, _ANSWER_TOKENS)


def _asked(kind: Kind, text: str, mark: str, model: str, max_tokens: int) -> Question:
    body: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "temperature": 0}
    if kind.path == CHAT:
        body["messages"] = [{"role": "user", "content": text}]
    else:
        body["prompt"] = text
    if kind.is_stream:
        body["stream"] = True
        if kind.asks_usage:
            body["stream_options"] = {"include_usage": True}
    return Question(kind.path, body, mark)
