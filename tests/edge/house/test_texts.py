"""Texts that are kept."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from vllm_gateway.edge.house.texts import ModelName, Prompt, Title, allow_all


@pytest.mark.parametrize(("kind", "most"), [(Prompt, 1_000_000), (Title, 256), (ModelName, 256)])
def test_texts_are_bounded_and_can_be_stored(kind: Any, most: int) -> None:  # noqa: ANN401 - an annotated type
    """Any character but NUL, and only so many."""
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    assert adapter.validate_python("é" * most) == "é" * most
    for bad in ("x" * (most + 1), "a\0b"):
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)


def test_a_model_has_a_name() -> None:
    """An empty one is none; a title may be empty."""
    with pytest.raises(ValidationError):
        TypeAdapter(ModelName).validate_python("")
    assert TypeAdapter(Title).validate_python("") == ""


def test_without_a_deny_list_everything_may_be_said() -> None:
    """Nothing is refused."""
    allow_all({"system_prompt": "anything"})
