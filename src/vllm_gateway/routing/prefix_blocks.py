"""A prompt as a chain of hashes: equal beginnings of two prompts are equal beginnings of their chains."""

from collections.abc import Iterator, Mapping
from typing import Any

from vllm_gateway import codec
from vllm_gateway.exchange import Asked

BLOCK_BYTES = 64
"""Some 16 tokens of English, which is what a replica's own blocks hold."""
MOST_BLOCKS = 2048
"""What comes later in a prompt is not looked at: it would cost time, and so long a match decides anyway."""
_MOST_BYTES = BLOCK_BYTES * MOST_BLOCKS
_CACHED = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"})
"""The routes whose prompts a replica keeps in its prefix cache."""
_LEADING = ("tools", "system", "instructions", "prompt")
"""What stands before the conversation in the prompt that a replica makes, in this order."""
_MARKS = frozenset({"role", "content", "cache_control"})
"""Members of a message that are read on their own, or move through a conversation and are no part of the prompt."""
_BILLING = "x-anthropic-billing-header:"
"""Begins Claude Code's accounting line: new with every request, and taken out before a replica sees it."""
_ENDS_BYTES = 256


def blocks_of(asked: Asked, model: str | None, salt: str = "") -> list[int]:
    """Return one hash for each whole block of the prompt's text, each over everything before it as well.

    Prompts for different models, or with different salts, have nothing in common. The hashes mean nothing outside this
    process. At most `MOST_BLOCKS` are made.
    """
    if asked.path not in _CACHED:
        return []
    text = prompt_text(asked.fields)
    before = hash((model, salt, asked.fields.get("cache_salt") or ""))
    blocks = []
    for start in range(0, min(len(text), _MOST_BYTES) - BLOCK_BYTES + 1, BLOCK_BYTES):
        before = hash((before, text[start : start + BLOCK_BYTES]))
        blocks.append(before)
    return blocks


def prompt_text(fields: Mapping[str, Any]) -> bytes:
    """Return the text of a prompt, so that the next turn of a conversation begins with the text of the turn before.

    No model reads this: it is long enough for whoever compares beginnings, and may lack what comes later.
    """
    pieces = []
    size = 0
    for piece in _pieces(fields):
        pieces.append(piece)
        size += len(piece)
        if size >= _MOST_BYTES:
            break
    return "\n".join(pieces)[:_MOST_BYTES].encode(errors="surrogatepass")


def _pieces(fields: Mapping[str, Any]) -> Iterator[str]:
    for name in _LEADING:
        value = fields.get(name)
        if value:
            yield from _content(value, is_first=name == "system")
    said = fields.get("messages") or fields.get("input")
    if not isinstance(said, list):
        yield from _content(said)
        return
    for message in said:
        yield from _message(message)


def _message(message: object) -> Iterator[str]:
    if not isinstance(message, dict):
        yield from _content(message)
        return
    yield str(message.get("role"))
    yield from _content(message.get("content"))
    if len(message) > 2:  # noqa: PLR2004 - a role and a content
        rest = {name: value for name, value in message.items() if name not in _MARKS}
        if rest:
            yield _ends(rest)


def _content(content: object, *, is_first: bool = False) -> Iterator[str]:
    """Yield a text as it is, of a list its parts, and of all else the ends of its JSON."""
    if isinstance(content, str):
        yield content.partition("\n")[2] if is_first and content.startswith(_BILLING) else content
    elif isinstance(content, list) and content and isinstance(content[0], dict):
        for part in content:
            yield from _part(part, is_first=is_first)
            is_first = False
    elif content is not None:
        yield codec.dumps(content).decode()


def _part(part: object, *, is_first: bool) -> Iterator[str]:
    if isinstance(part, dict):
        text = part.get("text")
        if isinstance(text, str):
            yield from _content(text, is_first=is_first)
            return
        part = {name: value for name, value in part.items() if name != "cache_control"}
    yield _ends(part)


def _ends(value: object) -> str:
    """Return the JSON of a value; of a long one, as of a picture, what tells it from others: ends and length."""
    written = codec.dumps(value)
    if len(written) > _MOST_BYTES:
        written = b"%d %b %b" % (len(written), written[:_ENDS_BYTES], written[-_ENDS_BYTES:])
    return written.decode(errors="replace")
