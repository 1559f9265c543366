"""Bounds on schemas, patterns and tools (B-07)."""

from typing import Any

import pytest

from tests.admission.rules.bodies import CHAT, MESSAGES, RESPONSES, understood
from vllm_gateway import codec
from vllm_gateway.admission.rules.formats import MAX_SCHEMA_DEPTH, Formats
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.admission import Limits, Rules

SMALL = Rules(max_schema_bytes=200, max_pattern_characters=20)
DEEP = Limits(max_json_depth=250)


def schema(size_bytes: int) -> dict[str, Any]:
    """Return a schema of exactly so many bytes."""
    return {"title": "x" * (size_bytes - len(b'{"title":""}'))}


def nested(levels: int) -> dict[str, Any]:
    """Return a schema of so many levels."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"items": value}
    return value


PLACES: list[tuple[str, str, Any]] = [
    (CHAT, "response_format", lambda it: {"response_format": it}),
    (CHAT, "structured_outputs.json", lambda it: {"structured_outputs": {"json": it}}),
    (CHAT, "tools[1].function.parameters", lambda it: {"tools": [{}, {"function": {"parameters": it}}]}),
    (RESPONSES, "tools[0].parameters", lambda it: {"tools": [{"type": "function", "parameters": it}]}),
    (RESPONSES, "text.format", lambda it: {"text": {"format": it}}),
    (MESSAGES, "tools[0].input_schema", lambda it: {"tools": [{"name": "x", "input_schema": it}]}),
    (MESSAGES, "output_config.format", lambda it: {"output_config": {"format": it}}),
]
"""Route, where a schema stands, and the fields around it."""


def read(path: str, fields: dict[str, Any]) -> Asked:
    """Read a body whose own depth does not matter."""
    return build_operations(max_json_depth=250)[path].read(codec.dumps({"input": "x"} | fields))


def refused(asked: Asked, rules: Rules = SMALL) -> FieldInvalid:
    """Return why it was refused."""
    with pytest.raises(FieldInvalid) as refusal:
        Formats(rules, DEEP).check(asked)
    return refusal.value


@pytest.mark.parametrize(("path", "where", "around"), PLACES)
def test_schemas_have_a_size(path: str, where: str, around: Any) -> None:  # noqa: ANN401 - a function of a schema
    """B-07: so many bytes pass, one more does not, wherever a schema may stand."""
    Formats(SMALL, DEEP).check(understood(path, **around(schema(200))))
    refusal = refused(understood(path, **around(schema(201))))
    assert refusal.param == where
    assert refusal.message == f"'{where}' may have 200 bytes at most."


@pytest.mark.parametrize(("path", "where", "around"), PLACES)
def test_schemas_have_a_depth(path: str, where: str, around: Any) -> None:  # noqa: ANN401 - a function of a schema
    """B-07: so many levels pass, one more does not, whatever the body may have."""
    Formats(Rules(), DEEP).check(read(path, around(nested(MAX_SCHEMA_DEPTH))))
    refusal = refused(read(path, around(nested(MAX_SCHEMA_DEPTH + 1))), Rules())
    assert refusal.param == where
    assert str(MAX_SCHEMA_DEPTH) in refusal.message


@pytest.mark.parametrize("name", ["json", "structural_tag"])
def test_a_schema_may_be_a_text(name: str) -> None:
    """B-07: its size and its depth are bounded as if it were an object, also in a small body."""
    for limits in (DEEP, Limits()):
        formats = Formats(Rules(), limits)
        formats.check(understood(structured_outputs={name: codec.dumps(nested(MAX_SCHEMA_DEPTH)).decode()}))
        for text in (codec.dumps(nested(MAX_SCHEMA_DEPTH + 1)).decode(), "[" * 100_000, "x" * 262_145):
            with pytest.raises(FieldInvalid) as refusal:
                formats.check(understood(structured_outputs={name: text}))
            assert refusal.value.param == f"structured_outputs.{name}"


@pytest.mark.parametrize("name", ["regex", "grammar", "whitespace_pattern"])
def test_patterns_have_a_length(name: str) -> None:
    """B-07: so many characters pass, one more does not."""
    Formats(SMALL, DEEP).check(understood(structured_outputs={name: "x" * 20}))
    refusal = refused(understood(structured_outputs={name: "x" * 21}))
    assert refusal.param == f"structured_outputs.{name}"
    assert "20 characters" in refusal.message


def test_the_grammar_of_a_tool_has_a_length() -> None:
    """B-07: a tool of the Responses API may bring one."""
    tool = {"type": "custom", "format": {"type": "grammar", "definition": "x" * 20}}
    Formats(SMALL, DEEP).check(understood(RESPONSES, tools=[tool]))
    tool["format"] = {"type": "grammar", "definition": "x" * 21}
    assert refused(understood(RESPONSES, tools=[tool])).param == "tools[0].format.definition"


def test_many_choices_are_a_large_schema() -> None:
    """A list of answers to choose from is bounded by its bytes."""
    assert refused(understood(structured_outputs={"choice": ["x" * 30] * 10})).param == "structured_outputs.choice"


@pytest.mark.parametrize("value", [None, 7, "x", [], [7], {"function": 7}, {"json": 7}, {"format": 7}])
def test_what_has_another_form_is_the_replicas_to_judge(value: object) -> None:
    """Nothing in it can be too large."""
    for name in ("response_format", "structured_outputs", "tools", "text", "output_config"):
        Formats(SMALL, DEEP).check(understood(**{name: value}))
        Formats(SMALL, DEEP).check(understood(**{name: [value]}))
