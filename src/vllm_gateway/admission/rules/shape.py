"""A body that every parser reads alike: no name comes twice in an object, and there are not too many.

JSON leaves open what two members of one name mean. What is checked here must be what a replica uses, so such a body is
refused. Parsed, only one of the two is left, so that the text has something that the value does not explain.
"""

import re
from typing import Any

from vllm_gateway import codec
from vllm_gateway.errors import BodyMalformed

MAX_MEMBERS = 100_000
"""Most members of all objects of a body together."""

MAX_TEXTS = 4 * MAX_MEMBERS
"""Most names and texts of a body that has so many colons that it must be looked at closely."""

_GLANCE_BYTES = 64
"""Enough to see whether a body is written without spaces."""
_SHOWN_CHARACTERS = 64
_NUMBERS = (int, float)
_NAME_OR_BRACE = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}]', re.DOTALL)


def check_size(body: bytes) -> None:
    """Refuse a body whose objects have too many members, before it is parsed.

    Raises:
        BodyMalformed: it has too many.
    """
    if len(body) <= MAX_MEMBERS or body.count(b":") <= MAX_MEMBERS:
        return
    text = _without_escapes(body)
    if text.count(b'"') > 2 * MAX_TEXTS or _count_in(text) > MAX_MEMBERS:
        raise BodyMalformed(f"The body has more than {MAX_MEMBERS} members or {MAX_TEXTS} texts.")


def check_members(body: bytes, fields: dict[str, Any]) -> None:
    """Refuse a body in which an object has two members of one name; `fields` is the body, parsed.

    Raises:
        BodyMalformed: it has; the sentence says which.
    """
    if b'": ' not in body[:_GLANCE_BYTES] and codec.dumps(fields) == body:
        return  # most clients write as we would, and what was read twice would not be written twice
    if _explains_colons(body, fields):
        return
    if _members_of(fields) != _count_in(_without_escapes(body)):
        raise BodyMalformed(f"The body has the member {_shown(_first_twice(body))} twice in one object.")


def _explains_colons(body: bytes, fields: dict[str, Any]) -> bool:
    """Say whether every colon of the text is one that the parsed value has: behind a name, or in a text.

    Then no member was dropped. It is a matter of microseconds, and says no where it would have to look closer: at names
    with colons, at lists that begin with a number, and at escapes that write a colon without one.
    """
    colons = body.count(b":")
    stack: list[Any] = [fields]
    for each in stack:
        values = each
        if type(each) is dict:
            colons -= len(each)
            values = each.values()
        elif each and type(each[0]) in _NUMBERS:
            continue
        for value in values:
            kind = type(value)
            if kind is str:
                colons -= value.count(":")
            elif kind is dict or kind is list:
                stack.append(value)
    return colons == 0 and not (b"\\" in body and _has_colon_escapes(body))


def _has_colon_escapes(body: bytes) -> bool:
    return b"\\u003" in body and (b"\\u003a" in body or b"\\u003A" in body)


def _members_of(value: object) -> int:
    """Return how many members the objects within a value have."""
    count = 0
    stack = [value]
    for each in stack:
        if type(each) is dict:
            count += len(each)
            stack += each.values()
        elif type(each) is list:
            stack += each
    return count


def _without_escapes(body: bytes) -> bytes:
    r"""Return the text without `\\` and `\"`: every quote that is left begins or ends a text."""
    return body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body


def _count_in(text: bytes) -> int:
    """Return how many members a text without escapes has: the colons outside of quotes."""
    return b"".join(text.split(b'"')[::2]).count(b":")


def _first_twice(body: bytes) -> str:
    """Return the first name that its object has already."""
    objects: list[set[str]] = []
    for found in _NAME_OR_BRACE.finditer(body):
        if found[0] == b"{":
            objects.append(set())
        elif found[0] == b"}":
            objects.pop()
        elif found[2] is not None:
            name = codec.loads(found[1])
            if name in objects[-1]:
                return str(name)
            objects[-1].add(name)
    raise AssertionError("the parsed body has fewer members than its text, so one of them must come twice")


def _shown(name: str) -> str:
    short = name if len(name) <= _SHOWN_CHARACTERS else name[:_SHOWN_CHARACTERS] + "..."
    return codec.dumps(short).decode()
