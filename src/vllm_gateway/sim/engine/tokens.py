"""The sim's vocabulary and tokenizer: byte-level, made in code, the same on every machine.

Ids 0-255 are the bytes, then the special tokens, then everything that is longer than a byte. Multi-byte characters are
tokens of their own and also reachable as single bytes, so that a stream is now and then cut inside a character.
"""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import chain, product

from vllm_gateway.sim.engine import words


class Special(IntEnum):
    """Tokens that no text encodes to: they come from the chat template only."""

    END_OF_TEXT = 256
    SYSTEM = 257
    USER = 258
    ASSISTANT = 259
    TOOL = 260
    ROLE = 261
    END = 262


FIRST_SPECIAL = 256
FIRST_WORD = 263
SPECIAL_TEXT = {
    Special.END_OF_TEXT: "<|endoftext|>",
    Special.SYSTEM: "<|system|>",
    Special.USER: "<|user|>",
    Special.ASSISTANT: "<|assistant|>",
    Special.TOOL: "<|tool|>",
    Special.ROLE: "<|role|>",
    Special.END: "<|end|>",
}
WIDE = words.ACCENTS + words.CYRILLIC + words.HAN + words.KANA + words.EMOJI
"""Every multi-byte character that is a token."""


def _forms(word: str) -> Iterable[str]:
    for form in (word, word.capitalize()):
        yield form
        yield " " + form


def _inflected() -> Iterable[str]:
    yield from (noun + "s" for noun in words.NOUNS)
    for verb in words.VERBS:
        stem = verb.removesuffix("e")
        yield from (words.present(verb), stem + "ed", stem + "ing")


def _texts() -> list[str]:
    """Every token longer than a byte, in the order of its id."""
    known = (
        words.NOUNS,
        words.VERBS,
        words.ADJECTIVES,
        words.ADVERBS,
        words.DETERMINERS,
        words.PREPOSITIONS,
        words.CONJUNCTIONS,
        words.PRONOUNS,
        words.CLOSERS,
        words.OTHERS,
        _inflected(),
    )
    every = chain(
        chain.from_iterable(map(_forms, chain.from_iterable(known))),
        words.PARTS,
        (a + b for a, b in product("bcdfghjklmnpqrstvwxyz", "aeiou")),
        (f"{number:02}" for number in range(100)),
        words.SIGNS,
        words.SPACES,
        WIDE,
    )
    return [text for text in dict.fromkeys(every) if len(text.encode()) > 1]


TEXTS = _texts()
FRAGMENTS = (b"\xf0\x9f", b"\xf0\x9f\x98", b"\xf0\x9f\x8c", b"\xe6\x9d")
"""Tokens that are the beginning of a character: the encoder has no use for them, the model writes them."""

BYTES: list[bytes] = [
    *(bytes((byte,)) for byte in range(256)),
    *(SPECIAL_TEXT[special].encode() for special in Special),
    *(text.encode() for text in TEXTS),
    *FRAGMENTS,
]
"""The bytes of every token; a special token's are its name."""

SIZE = len(BYTES)
ID_OF = {text: FIRST_WORD + at for at, text in enumerate(TEXTS)} | {chr(byte): byte for byte in range(128)}
"""The id of every token that is text by itself and not special."""

_LONGEST = max(map(len, TEXTS))
_PIECES = re.compile(r" ?[A-Za-z]+|[0-9]{1,2}| +|[\r\n\t][\r\n\t ]*|[!-/:-@\[-`{-~]+|.", re.DOTALL)


def is_special(token: int) -> bool:
    """Tell whether `token` is one of the chat template's."""
    return FIRST_SPECIAL <= token < FIRST_WORD


def encode(text: str) -> list[int]:
    """Return the ids of `text`; no text becomes a special token, and `decode` gives the text back."""
    return list(chain.from_iterable(map(_encode_piece, _PIECES.findall(text))))


@lru_cache(maxsize=32_768)
def _encode_piece(piece: str) -> tuple[int, ...]:
    """Return the ids of one word, number, run of spaces or run of signs: the longest token first."""
    ids: list[int] = []
    at = 0
    while at < len(piece):
        for end in range(min(len(piece), at + _LONGEST), at, -1):
            if (token := ID_OF.get(piece[at:end])) is not None:
                ids.append(token)
                break
        else:
            end = at + 1
            ids.extend(piece[at].encode("utf-8", "replace"))
        at = end
    return tuple(ids)


def decode_bytes(ids: Iterable[int], *, skip_special: bool = True) -> bytes:
    """Return the bytes of `ids`, with or without the names of special tokens."""
    if skip_special:
        return b"".join([BYTES[token] for token in ids if not FIRST_SPECIAL <= token < FIRST_WORD])
    return b"".join([BYTES[token] for token in ids])


def decode(ids: Iterable[int], *, skip_special: bool = True) -> str:
    """Return the text of `ids`; bytes that are no character become U+FFFD."""
    return decode_bytes(ids, skip_special=skip_special).decode("utf-8", "replace")


def name(token: int) -> str:
    """Return what `token` is called: its text, or its name if it is special."""
    return BYTES[token].decode("utf-8", "replace")


_ROLES = {
    "system": Special.SYSTEM,
    "developer": Special.SYSTEM,
    "user": Special.USER,
    "assistant": Special.ASSISTANT,
    "tool": Special.TOOL,
}


def render_chat(turns: Sequence[tuple[str, str]], *, open_reply: bool = True, continue_last: bool = False) -> list[int]:
    """Return the prompt of a conversation of (role, text): a role's token, the text, the end token, and so on."""
    ids: list[int] = []
    for role, text in turns:
        if role in _ROLES:
            ids.append(_ROLES[role])
        else:
            ids.extend((Special.ROLE, *encode(role + "\n")))
        ids.extend(encode(text))
        ids.append(Special.END)
    if continue_last:
        ids.pop()
    elif open_reply:
        ids.append(Special.ASSISTANT)
    return ids
