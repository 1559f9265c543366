"""What boxes, meters and graphs are made of."""

import pytest

from vllm_gateway.terminal.top.glyphs import ASCII, PLAIN, UNICODE, Glyphs, glyphs_for


@pytest.mark.parametrize(
    ("share", "full"), [(0, 0), (0.001, 1), (0.25, 1), (0.5, 2), (0.99, 4), (1, 4), (7, 4), (-1, 0)]
)
def test_a_meter_is_as_full_as_what_it_shows(share: float, full: int) -> None:
    """Something is seen as soon as there is anything."""
    assert ASCII.meter(share, 4) == ("#" * full, "." * (4 - full))


def test_a_graph_ends_with_the_newest_value() -> None:
    """Two values in every cell, four steps in every line; what was before the first value is empty."""
    assert UNICODE.graph([1, 2, 3, 4], 3, 1, 4) == [" ⣠⣾"]
    assert UNICODE.graph([8, 4], 1, 2, 8) == ["⡇", "⣿"]
    assert UNICODE.graph(range(100), 2, 1, 99) == ["⣿⣿"]


def test_a_graph_shows_that_there_is_anything() -> None:
    """The least value has a dot, nothing has none, and what is over the top stays inside."""
    assert UNICODE.graph([0, 0.001, 0, 99], 2, 1, 10) == ["⢀⢸"]
    assert UNICODE.graph([], 2, 2, 10) == ["  ", "  "]
    assert UNICODE.graph([1], 1, 1, 0) == [" "]


def test_a_graph_without_unicode_has_one_value_in_each_cell() -> None:
    """In shades."""
    assert ASCII.graph([0, 1, 4, 7], 4, 1, 7) == [" .=#"]


@pytest.mark.parametrize(
    ("encoding", "has_colors", "glyphs"),
    [
        ("utf-8", True, UNICODE),
        ("UTF8", True, UNICODE),
        ("utf-8", False, PLAIN),
        ("ANSI_X3.4-1968", True, ASCII),
        ("latin-1", False, ASCII),
        (None, True, ASCII),
    ],
)
def test_a_terminal_gets_what_it_can_draw(encoding: str | None, glyphs: Glyphs, *, has_colors: bool) -> None:
    """Without colours a meter's empty cells look different; without Unicode everything is ASCII."""
    assert glyphs_for(encoding, has_colors=has_colors) is glyphs
