"""The frame around a box."""

import pytest

from tests.terminal.top.boxes.painting import SCENE
from vllm_gateway.terminal.top.boxes.frame import framed
from vllm_gateway.terminal.top.ink import Ink, Piece, cells, plain

LINES = [[Piece(text, Ink("#ffffff"))] for text in ("one", "a long line that does not fit", "three")]


def test_a_title_above_and_a_note_below() -> None:
    """Round corners; what is too long is cut off."""
    lines = framed(SCENE, LINES, 14, 4, title="box", color="cpu_box", note="1-2 of 3")
    assert [plain(line) for line in lines] == ["╭─┐box┌──────╮", "│one         │", "│a long line │", "╰─┐1-2 of 3┌─╯"]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (3, 2), (6, 3), (8, 9), (40, 2)])
def test_it_is_exactly_as_large_as_it_is_to_be(width: int, height: int) -> None:
    """Where there is no room for a frame there is nothing."""
    lines = framed(SCENE, LINES, width, height, title="a title", color="cpu_box", note="a note")
    assert [cells(line) for line in lines] == [width] * height


def test_the_box_in_focus_has_a_bold_title() -> None:
    """So it is seen for which box keys are."""
    for title, is_bold in (("replicas", True), ("requests 3", False)):
        top = framed(SCENE, [], 30, 3, title=title, color="cpu_box")[0]
        assert next(piece.ink.is_bold for piece in top if title in piece.text) is is_bold
