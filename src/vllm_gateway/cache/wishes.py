"""What a caller's headers say of keeping: `Cache-Control` and `Idempotency-Key`."""

from dataclasses import dataclass

from vllm_gateway.errors import FieldInvalid
from vllm_gateway.exchange import Headers

MOST_NAME_BYTES = 255
"""The longest idempotency key."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller wants."""

    reads: bool = True
    """An answer that was kept will do."""
    keeps: bool = True
    """Its answer may be kept."""
    once: str | None = None
    """Its own name for the request, which is to be answered once however often it is sent."""


_NONE = Wishes()
_ANEW = frozenset({b"no-cache", b"max-age=0"})
"""Two ways to say that nothing old will do; browsers say the second."""


def wishes_in(headers: Headers) -> Wishes:
    """Return what the headers say.

    Raises:
        FieldInvalid: the idempotency key is empty, too long, or no plain text.
    """
    directives, once = b"", None
    for name, value in headers:
        if name == b"cache-control":
            directives += b"," + value
        elif name == b"idempotency-key":
            once = _name(value)
    if not directives:
        return _NONE if once is None else Wishes(once=once)
    said = {directive.strip().lower() for directive in directives.split(b",")}
    keeps = b"no-store" not in said
    return Wishes(reads=keeps and said.isdisjoint(_ANEW), keeps=keeps, once=once)


def _name(value: bytes) -> str:
    name = value.strip()
    if not 0 < len(name) <= MOST_NAME_BYTES or not name.isascii() or not name.decode().isprintable():
        sentence = f"An Idempotency-Key has between 1 and {MOST_NAME_BYTES} printable ASCII characters."
        raise FieldInvalid(sentence, param="Idempotency-Key")
    return name.decode()
