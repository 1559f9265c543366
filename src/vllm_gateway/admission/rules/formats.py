"""Bounds on what an answer is to follow: schemas, regular expressions, grammars, and what tools take.

A replica compiles them before the first token, and for everybody's requests in the same process.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from vllm_gateway import codec
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.admission import Limits, Rules

MAX_SCHEMA_DEPTH = 64
"""Deepest nesting of a schema."""

_HOLDERS = frozenset({"response_format", "structured_outputs", "tools", "text", "output_config"})
_PATTERNS = ("regex", "grammar", "whitespace_pattern")
_Part = tuple[str, object]
"""Where something stands in the body, and what it is."""


class Formats:
    """Holds what answers are to follow to its bounds."""

    def __init__(self, rules: Rules, limits: Limits) -> None:
        self._max_pattern_characters = rules.max_pattern_characters
        self._max_schema_bytes = rules.max_schema_bytes
        self._body_is_flat = limits.max_json_depth <= MAX_SCHEMA_DEPTH

    def check(self, asked: Asked) -> None:
        """Refuse a schema or a pattern that is too large, or a schema that is nested too deeply.

        Raises:
            FieldInvalid: one is; the sentence tells the bound.
        """
        if _HOLDERS.isdisjoint(asked.fields):
            return
        if asked.body and len(asked.body) <= self._max_schema_bytes and self._body_is_flat:
            schemas: Iterable[_Part] = _texts(asked.fields)  # all else is bounded as the body is
        else:
            schemas = _schemas(asked.fields)
        for where, schema in schemas:
            if schema is not None:
                self._check_schema(where, schema)
        for where, pattern in _patterns(asked.fields):
            if isinstance(pattern, str) and len(pattern) > self._max_pattern_characters:
                most = self._max_pattern_characters
                raise FieldInvalid(f"'{where}' may have {most} characters at most.", param=where)

    def _check_schema(self, where: str, schema: object) -> None:
        text = schema.encode() if isinstance(schema, str) else codec.dumps(schema)
        if len(text) > self._max_schema_bytes:
            raise FieldInvalid(f"'{where}' may have {self._max_schema_bytes} bytes at most.", param=where)
        if text.count(b"{") + text.count(b"[") > MAX_SCHEMA_DEPTH and codec.is_deeper(
            _read(where, schema), MAX_SCHEMA_DEPTH
        ):
            raise FieldInvalid(f"'{where}' may be nested {MAX_SCHEMA_DEPTH} levels deep at most.", param=where)


def _read(where: str, schema: object) -> object:
    """Return a schema, also one that was written as a text."""
    if not isinstance(schema, str):
        return schema
    try:
        return codec.loads(schema)
    except codec.MalformedJson:
        raise FieldInvalid(f"'{where}' must be JSON.", param=where) from None


def _texts(fields: dict[str, Any]) -> Iterator[_Part]:
    """Give the schemas that are written as texts."""
    structured = _object(fields.get("structured_outputs"))
    for name in ("json", "structural_tag"):
        if isinstance(schema := structured.get(name), str):
            yield f"structured_outputs.{name}", schema


def _schemas(fields: dict[str, Any]) -> Iterator[_Part]:
    """Give the schemas of a body, in all the places where one may stand."""
    yield "response_format", fields.get("response_format")
    structured = _object(fields.get("structured_outputs"))
    for name in ("json", "structural_tag", "choice"):
        yield f"structured_outputs.{name}", structured.get(name)
    yield "text.format", _object(fields.get("text")).get("format")
    yield "output_config.format", _object(fields.get("output_config")).get("format")
    for number, tool in enumerate(_list(fields.get("tools"))):
        yield f"tools[{number}].input_schema", _object(tool).get("input_schema")
        yield f"tools[{number}].parameters", _object(tool).get("parameters")
        yield f"tools[{number}].function.parameters", _object(_object(tool).get("function")).get("parameters")


def _patterns(fields: dict[str, Any]) -> Iterator[_Part]:
    """Give the regular expressions and grammars of a body."""
    structured = _object(fields.get("structured_outputs"))
    for name in _PATTERNS:
        yield f"structured_outputs.{name}", structured.get(name)
    for number, tool in enumerate(_list(fields.get("tools"))):
        if "format" in _object(tool):
            yield f"tools[{number}].format.definition", _object(tool["format"]).get("definition")


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
