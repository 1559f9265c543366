"""Where a broken answer is cut: how many of its tokens another replica is given.

A stream's text lags behind its tokens: a character waits for its last byte, and what may be the beginning of a stop
string waits until it is known not to be one. So the replica that goes on is asked what the tokens say. The last tokens
are left out when they end inside a character: a decoder that begins there has no clean point to count new text from.
"""

import re
from array import array
from dataclasses import dataclass, field

from vllm_gateway import codec
from vllm_gateway.exchange import Ask

_CONTEXT = 16
"""Tokens of the prompt that are decoded along, because the first text of all may be decoded otherwise."""
_MOST_DROPPED = 8
"""A character has at most four bytes; a few more tokens may be special ones, which have no text."""
_TELLTALE = 64
"""Characters by which a text is known again."""
_SPECIAL = re.compile(r"<[^<>\s]{1,64}>|\[/?[A-Z_]{2,32}\]")
"""What the names of special tokens look like. A stream leaves them out; the decoded text has them."""
_UNFINISHED = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Cut:
    """A place between two tokens of an answer."""

    kept: int
    """So many of the answer's tokens lie before it."""
    held: str
    """The end of their text, which was held back: the caller has not been told it."""
    before: str = field(default="", compare=False)
    """The last words before that, of the prompt too when there are few: what a decoder gives that lost its place."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that broke off."""

    prompt: "array[int]"
    token_ids: "array[int]"
    text: str
    """What the caller was told; of an answer with reasoning, what comes behind that."""
    is_behind_reasoning: bool = False
    hold: int = 0
    """How many characters the replica held back for the sake of stop strings."""


async def find_cut(ask: Ask, model: object, answer: Answer) -> Cut | None:
    """Return the last place at which the answer can be cut; None when its tokens do not say what the caller was told.

    Args:
        ask: Asks a replica with the same vocabulary.
        model: The name of the model there.
        answer: What broke off.
    """
    context = answer.prompt[-_CONTEXT:]
    before = await _decode(ask, model, context)
    if before is None:
        return None
    size = len(answer.token_ids)
    for kept in range(size, max(0, size - _MOST_DROPPED - 1), -1):
        decoded = await _decode(ask, model, context + answer.token_ids[:kept])
        if decoded is None or not decoded.startswith(before):
            return None
        text = decoded[len(before) :]
        if text.endswith(_UNFINISHED):
            continue
        held = _held(answer, text)
        if held is not None:
            return Cut(kept, held, (_SPECIAL.sub("", before) + answer.text)[-_TELLTALE:])
    return None


def _held(answer: Answer, text: str) -> str | None:
    """Return the end of `text` that the caller was not told; None when the rest is not what it was told."""
    end = len(text) - answer.hold
    if answer.is_behind_reasoning:
        return text[end:] if end > 0 and text[:end].endswith(answer.text) else None
    if end == len(answer.text) and text.startswith(answer.text):
        return text[end:]
    rest = _behind(text, answer.text)
    if rest is not None and len(rest) != answer.hold:
        rest = _SPECIAL.sub("", rest)
    return rest if rest is not None and len(rest) == answer.hold else None


def _behind(text: str, told: str) -> str | None:
    """Return what follows in `text` behind all that was told; special tokens that were not told are passed over."""
    at = seen = 0
    for special in _SPECIAL.finditer(text):
        gap = text[at : special.start()]
        if seen + len(gap) > len(told):
            break
        if not told.startswith(gap, seen):
            return None
        seen += len(gap)
        is_told = told.startswith(special[0], seen)
        seen += len(special[0]) if is_told else 0
        at = special.end()
    end = at + len(told) - seen
    return text[end:] if text[at:end] == told[seen:] else None


async def _decode(ask: Ask, model: object, tokens: "array[int]") -> str | None:
    body = await ask("/detokenize", codec.dumps({"model": model, "tokens": tokens.tolist()}))
    try:
        answer = codec.loads(body) if body is not None else None
    except codec.MalformedJson:
        return None
    text = answer.get("prompt") if isinstance(answer, dict) else None
    return text if isinstance(text, str) else None
