"""What all parts of the settings are made of."""

import pytest
from pydantic import ValidationError

from vllm_gateway.settings.section import Count, Positive, Section


class _Part(Section):
    count: Count = 0
    most: Positive = 1


def test_an_unknown_key_is_a_fault() -> None:
    """A misspelt key is refused, not ignored."""
    with pytest.raises(ValidationError):
        _Part.model_validate({"cuont": 1})


@pytest.mark.parametrize("values", [{"count": -1}, {"count": True}, {"most": 0}, {"count": 1.5}], ids=str)
def test_a_number_is_one(values: dict[str, object]) -> None:
    """A count is a whole number from 0 on, a highest number from 1 on; true is none."""
    with pytest.raises(ValidationError):
        _Part.model_validate(values)


def test_sections_never_change() -> None:
    """A field cannot be set."""
    with pytest.raises(ValidationError):
        _Part().count = 1  # type: ignore[misc] # the point of the test
