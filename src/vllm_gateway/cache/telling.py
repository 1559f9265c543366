"""What a reply's headers say of where the answer came from: `X-Cache` and `Age`."""

from enum import Enum

from vllm_gateway.exchange import Headers


class Mark(Enum):
    """Where an answer came from, as `X-Cache` says it."""

    HIT = b"hit"
    """It was kept, or another caller had asked for it already."""
    MISS = b"miss"
    """A replica was asked."""
    BYPASS = b"bypass"
    """A replica was asked, and nothing is kept."""
    NONE = b""
    """Nothing is said, because nothing is ever kept here."""


_NAMES = frozenset({b"x-cache", b"age"})


def marked(headers: Headers, mark: Mark, age_s: int | None = None) -> Headers:
    """Return headers that say so, whatever they said before."""
    others = [each for each in headers if each[0] not in _NAMES]
    if mark is Mark.NONE:
        return others
    said = [(b"x-cache", mark.value)]
    return [*others, *said] if age_s is None else [*others, *said, (b"age", b"%d" % age_s)]
