"""Changing single members of a JSON object without touching the others: what a caller wrote stays as it was written.

Parsing and writing anew would turn large integers into floats and change escapes. So members are found by scanning,
which is quick because only strings, brackets and commas matter. The text must be valid JSON: it was parsed before.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from vllm_gateway import codec

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_NAME = re.compile(rb"\s*(" + _STRING + rb")\s*:\s*", re.DOTALL)
_COMMA = re.compile(rb"\s*,")
_TEXT = re.compile(_STRING, re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}]+")
_TEXT_OR_BRACKET = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)


class Member(NamedTuple):
    """One member of the outermost object, by its places in the text."""

    name: str
    start: int
    value_start: int
    end: int


def members(text: bytes) -> Iterator[Member]:
    """Give the members of the outermost object of a valid JSON text, in order."""
    at = text.index(b"{") + 1
    while name := _NAME.match(text, at):
        end = _end_of_value(text, name.end())
        yield Member(codec.loads(name[1]), name.start(1), name.end(), end)
        comma = _COMMA.match(text, end)
        if comma is None:
            return
        at = comma.end()


def edited(text: bytes, *, changes: Mapping[str, Any], without: Collection[str] = ()) -> bytes:
    """Return the object with some members changed or added, and without others; the rest keeps its bytes."""
    parts: list[bytes] = []
    missing = dict(changes)
    for member in members(text):
        if member.name in without:
            continue
        if member.name in changes:
            missing.pop(member.name, None)
            parts.append(text[member.start : member.value_start] + codec.dumps(changes[member.name]))
        else:
            parts.append(text[member.start : member.end])
    parts += [codec.dumps(name) + b":" + codec.dumps(value) for name, value in missing.items()]
    return b"{" + b",".join(parts) + b"}"


def _end_of_value(text: bytes, start: int) -> int:
    opening = text[start : start + 1]
    if opening not in {b"[", b"{"}:
        value = (_TEXT if opening == b'"' else _SCALAR).match(text, start)
        return value.end() if value else len(text)
    depth = 0
    for found in _TEXT_OR_BRACKET.finditer(text, start):
        if found[0] in {b"[", b"{"}:
            depth += 1
        elif found[0] in {b"]", b"}"}:
            depth -= 1
        if depth == 0:
            return found.end()
    return len(text)
