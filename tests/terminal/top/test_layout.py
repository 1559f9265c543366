"""Where the boxes are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.terminal.top.fleet import THEMES, WALL, picture
from vllm_gateway.terminal.top.glyphs import UNICODE
from vllm_gateway.terminal.top.ink import cells
from vllm_gateway.terminal.top.layout import LEAST_LINES, PRESETS, Place, laid_out, painted
from vllm_gateway.terminal.top.scene import Scene

SCENE = Scene(picture(), THEMES.load("harbour"), UNICODE, WALL)


@settings(max_examples=80)
@given(st.sampled_from(sorted(PRESETS)), st.integers(1, 240), st.integers(1, 90))
def test_boxes_fill_the_screen_and_do_not_overlap(preset: int, width: int, height: int) -> None:
    """Whatever its size: every line is as long as it is wide, and there are as many as it is high."""
    places = laid_out(preset, width, height)
    covered = [(x, y) for place in places for x in range(width) for y in range(height) if place.holds(x, y)]
    assert len(covered) == len(set(covered)) == width * height
    assert [cells(line) for line in painted(SCENE, places, height)] == [width] * height


def test_what_there_is_no_room_for_is_left_out() -> None:
    """The last boxes first; the first one stays."""
    assert [place.box for place in laid_out(1, 80, 2 * LEAST_LINES)] == ["replicas", "speed", "summary"]
    assert laid_out(1, 80, 3) == [Place("replicas", 0, 0, 80, 3)]
    assert [place.box for place in laid_out(3, 40, 20)] == ["requests", "events"]
    assert "summary" not in [place.box for place in laid_out(5, 40, 20)]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_a_name_and_boxes(preset: int) -> None:
    """Its key is its number."""
    name, bands = PRESETS[preset]
    assert name
    assert all(band.boxes for band in bands)
