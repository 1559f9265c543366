"""Prompts out of a file: JSON lines, ShareGPT, or one prompt on each line."""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from vllm_gateway import codec
from vllm_gateway.bench.prompts.conversation import Conversation

_ASKING = frozenset({"user", "human"})
_LENGTHS = ("max_tokens", "output_tokens")
_TEXTS = ("prompt", "text", "question", "input")


class PromptsUnreadable(ValueError):
    """A file has no prompts; `str()` of it is one sentence that says why."""


def read_prompts(path: Path, *, turns: int = 1) -> list[Conversation]:
    """Return the conversations of a file, at most `turns` turns of each; raise `PromptsUnreadable`."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is no UTF-8 text"
        raise PromptsUnreadable(f"The prompts in {path} cannot be read: {reason}.") from problem
    found = [each for each in (_conversation(entry, turns) for entry in _entries(path, text)) if each is not None]
    if not found:
        raise PromptsUnreadable(
            f"There are no prompts in {path}: it takes JSON lines with 'prompt' or 'messages', ShareGPT's JSON, or "
            "text with a prompt on each line."
        )
    return found


def _entries(path: Path, text: str) -> Iterator[object]:
    """Yield what the file lists, each a text or a JSON object."""
    if text.startswith("["):
        try:
            yield from codec.loads(text)
        except codec.MalformedJson:
            pass  # a plain line may begin like that
        else:
            return
    is_json = text.startswith("{")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if not is_json:
            yield line.strip()
            continue
        try:
            yield codec.loads(line)
        except codec.MalformedJson as mistake:
            raise PromptsUnreadable(f"Line {number} of {path} is no JSON: {mistake}.") from mistake


def _conversation(entry: object, turns: int) -> Conversation | None:
    if isinstance(entry, str):
        return Conversation((entry,)) if entry.strip() else None
    if not isinstance(entry, dict):
        return None
    length = next((entry[name] for name in _LENGTHS if isinstance(entry.get(name), int)), None)
    said = entry.get("messages") or entry.get("conversations")
    if isinstance(said, list):
        return _talk([each for each in said if isinstance(each, dict)], turns, length)
    prompt = next((entry[name] for name in _TEXTS if isinstance(entry.get(name), str)), None)
    return Conversation((prompt,), max_tokens=length) if prompt else None


def _talk(said: list[dict[str, Any]], turns: int, max_tokens: int | None) -> Conversation | None:
    """Return what the caller says in a recorded talk; the recorded answers are left out."""
    opening = [_text(each) for each in takewhile(lambda each: _role(each) not in _ASKING, said)]
    asked = [text for each in said if _role(each) in _ASKING and (text := _text(each))]
    if not asked:
        return None
    return Conversation(tuple(asked[:turns]), "\n".join(filter(None, opening)) or None, max_tokens)


def _role(message: Mapping[str, Any]) -> object:
    return message.get("role") or message.get("from")


def _text(message: Mapping[str, Any]) -> str:
    told = message.get("content") or message.get("value")
    return told if isinstance(told, str) else ""
