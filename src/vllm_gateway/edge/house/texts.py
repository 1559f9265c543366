"""Texts that callers give and that are kept: bounded, and without what no store can hold."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character NUL")
    return text


Prompt = Annotated[str, Field(max_length=1_000_000), AfterValidator(_storable)]
Title = Annotated[str, Field(max_length=256), AfterValidator(_storable)]
ModelName = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_storable)]

Screen = Callable[[dict[str, Any]], None]
"""Refuses fields that say something denied."""


def allow_all(_: dict[str, Any]) -> None:
    """Refuse nothing."""
