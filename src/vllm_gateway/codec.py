"""JSON in and out: the only place that imports a JSON library."""

import json  # noqa: TID251 - this is the room that the ban points to
from typing import Any

import orjson  # noqa: TID251 - this is the room that the ban points to

MalformedJson = orjson.JSONDecodeError
"""Raised by `loads` for text that is not JSON; a `ValueError`."""


def loads(text: bytes | bytearray | memoryview | str) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return the value of a JSON text; raise `MalformedJson` when it is none."""
    return orjson.loads(text)


def dumps(value: object) -> bytes:
    """Return compact UTF-8 JSON; keys keep their order."""
    return orjson.dumps(value)


def dumps_pretty(value: object) -> bytes:
    """Return indented UTF-8 JSON with a final newline, for people."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def dumps_spaced(
    value: object,
    *,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return JSON text with spaces behind commas and colons, as Python's own library writes it."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def is_deeper(value: object, levels: int) -> bool:
    """Say whether a JSON value has more nested levels than `levels`; without recursion, for it may be hostile."""
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)
