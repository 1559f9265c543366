"""Until when a key holds."""

import pytest

from tests.admission.keys.making import WALL
from vllm_gateway.admission.keys.expiry import read_expiry


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12h", WALL + 43_200),
        ("30d", WALL + 30 * 86_400),
        ("2w", WALL + 14 * 86_400),
        ("2027-01-31", 1_801_353_600.0),
    ],
)
def test_spans_and_days_are_understood(text: str, expected: float) -> None:
    """A span counts from now; a day begins at midnight UTC."""
    assert read_expiry(text, wall=WALL) == expected


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "30m", "2027-13-01", "tomorrow", "1e3d"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    """The sentence shows how it is written."""
    with pytest.raises(ValueError, match="write a span like 12h, 30d or 8w, or a day like 2027-01-31"):
        read_expiry(text, wall=WALL)


def test_a_day_that_is_over_is_refused() -> None:
    """A key that never opens the door is a mistake."""
    with pytest.raises(ValueError, match=r"^2020-01-01 is over"):
        read_expiry("2020-01-01", wall=WALL)
