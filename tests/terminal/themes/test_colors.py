"""Colours as numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.terminal.themes.colors import (
    BLACK,
    READABLE,
    WHITE,
    Rgb,
    contrast,
    luminance,
    mixed,
    read_color,
    readable,
    written,
)

COLORS = st.tuples(*[st.integers(0, 255)] * 3)


@pytest.mark.parametrize(
    ("value", "color"),
    [
        ("#1a2B3c", (26, 43, 60)),
        ("#cc", (204, 204, 204)),
        ("12 0 255", (12, 0, 255)),
        (" #ffffff ", (255, 255, 255)),
        ("", None),
        ("#abc", None),
        ("#gggggg", None),
        ("1 2", None),
        ("1 2 256", None),
        ("red", None),
    ],
)
def test_colours_are_read_as_btop_writes_them(value: str, color: Rgb | None) -> None:
    """Six digits, two for a grey, or three decimals; whatever else is no colour."""
    assert read_color(value) == color


def test_a_colour_is_written_as_it_is_read() -> None:
    """There and back it is the same."""
    assert read_color(written((1, 20, 255))) == (1, 20, 255)


def test_contrast_goes_from_one_to_twenty_one() -> None:
    """As WCAG 2 has it; a well-known grey is just not readable on white, the next darker one is."""
    assert contrast(WHITE, WHITE) == 1
    assert round(contrast(BLACK, WHITE), 6) == 21
    assert contrast((119, 119, 119), WHITE) < READABLE < contrast((118, 118, 118), WHITE)


def test_a_mixture_lies_between() -> None:
    """Nothing of the other is the one, all of it is the other."""
    assert [mixed(BLACK, (100, 200, 40), share) for share in (0, 0.5, 1)] == [BLACK, (50, 100, 20), (100, 200, 40)]


@given(COLORS, COLORS)
def test_what_is_made_readable_can_be_read(color: Rgb, ground: Rgb) -> None:
    """On any ground; what could be read before stays as it is."""
    assert contrast(readable(color, ground), ground) >= READABLE
    if contrast(color, ground) >= READABLE:
        assert readable(color, ground) == color


def test_a_colour_is_changed_no_more_than_needed() -> None:
    """A dark blue on black becomes a brighter blue, not white."""
    red, green, blue = readable((0, 0, 160), BLACK)
    assert blue > green == red
    assert contrast((red, green, blue), BLACK) < READABLE + 0.5
    assert luminance((red, green, blue)) < luminance(WHITE) / 2
