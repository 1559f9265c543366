"""Characters of several bytes, written byte by byte: how each begins and how a beginning may go on."""

from functools import cache

from vllm_gateway.sim.engine import tokens

CHARACTERS = [character.encode() for character in tokens.WIDE]
"""The characters that the model knows."""

_FIRST_FRAGMENT = tokens.SIZE - len(tokens.FRAGMENTS)


def may_split(token: int) -> bool:
    """Tell whether `token` may be a part of a character."""
    return 128 <= token < tokens.FIRST_SPECIAL or token >= _FIRST_FRAGMENT  # noqa: PLR2004 - what is not ASCII


def still_open(before: bytes, new: bytes) -> bytes:
    """Return the bytes that still wait for the rest of their character, if there are such."""
    waiting = before + new
    for length in (1, 2, 3):
        tail = waiting[-length:]
        if len(tail) == length and _continuations(tail):
            return tail
    return b""


def next_byte(opening: bytes, dice: int) -> int:
    """Return a byte that may follow `opening`."""
    following = _continuations(opening)
    return following[dice % len(following)]


def first_piece(character: bytes, dice: int) -> int:
    """Return the first byte of `character`, or a longer fragment of it where the vocabulary has one."""
    for at, fragment in enumerate(tokens.FRAGMENTS):
        if character.startswith(fragment) and dice % 2:
            return _FIRST_FRAGMENT + at
    return character[0]


@cache
def _continuations(opening: bytes) -> tuple[int, ...]:
    """Return the bytes that may follow `opening`, those of known characters if there are any."""
    known = {character[len(opening)] for character in CHARACTERS if _opens(character, opening)}
    if known:
        return tuple(sorted(known))
    return tuple(byte for byte in range(0x80, 0xC0) if _is_valid_opening(opening + bytes((byte,))))


def _opens(character: bytes, opening: bytes) -> bool:
    return len(character) > len(opening) and character.startswith(opening)


def _is_valid_opening(octets: bytes) -> bool:
    """Tell whether `octets` are a character or the beginning of one."""
    try:
        octets.decode()
    except UnicodeDecodeError as problem:
        return problem.start == 0 and problem.reason == "unexpected end of data"
    return len(octets) > 1
