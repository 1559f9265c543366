"""The first line and the last one."""

from dataclasses import replace
from datetime import UTC

import pytest

from tests.terminal.top.fleet import THEMES, WALL, picture
from vllm_gateway.terminal.top.bars import KEYS, Status, paint_fault, paint_header, paint_keys
from vllm_gateway.terminal.top.glyphs import UNICODE
from vllm_gateway.terminal.top.ink import cells, plain
from vllm_gateway.terminal.top.scene import Scene
from vllm_gateway.terminal.top.view import View

SCENE = Scene(picture(), THEMES.load("harbour"), UNICODE, WALL, zone=UTC)
STATUS = Status("http://127.0.0.1:8081", 1.0)


def test_the_first_line_says_where_this_is_and_how_it_goes() -> None:
    """Which preset, which filter, whether it stands still, when this was, how often it is looked at."""
    shown = replace(SCENE, view=View(words="gpu", is_paused=True))
    line = plain(paint_header(shown, replace(STATUS, preset=3, every_s=0.5), 100))
    for part in ("vllm-gateway top", "traffic", STATUS.url, "/gpu", "PAUSED", "22:13:20", "0.5s"):
        assert part in line


def test_what_is_wrong_is_said_there() -> None:
    """Until there is a picture again."""
    line = plain(paint_header(SCENE, replace(STATUS, fault="No gateway answers."), 100))
    assert line.startswith(" No gateway answers.")
    assert "22:13:20" in line


def test_where_there_is_nothing_else_the_whole_sentence_is_told() -> None:
    """In as many lines as it takes."""
    lines = [plain(line) for line in paint_fault(SCENE, "one two three four", 12, 5)]
    assert lines == [" " * 12, "  one two   ", "  three     ", "  four      ", " " * 12]
    assert [cells(line) for line in paint_fault(SCENE, "a long sentence", 3, 2)] == [3, 3]


@pytest.mark.parametrize("width", [1, 10, 20, 60, 200])
def test_both_lines_are_as_wide_as_the_screen(width: int) -> None:
    """As many keys as there is room for, the most important ones first."""
    assert cells(paint_header(SCENE, STATUS, width)) == width
    keys = plain(paint_keys(SCENE, width))
    assert len(keys) == width
    assert (KEYS[0][1] in keys) == (width > 6)
