"""All that decides how the screen looks."""

from dataclasses import replace
from datetime import UTC, timedelta, timezone

from tests.terminal.top.fleet import THEMES, WALL, picture, replica
from vllm_gateway.terminal.top.glyphs import UNICODE
from vllm_gateway.terminal.top.picture import Picture
from vllm_gateway.terminal.top.scene import Cursor, Scene, key_of

SCENE = Scene(picture(), THEMES.load("harbour"), UNICODE, WALL, zone=UTC)


def test_the_marked_row_is_followed() -> None:
    """By its name, wherever it is sorted to; where it is gone, its place is kept, within what there is."""
    rows = [replica(3), replica(1), replica(2)]
    assert Cursor(0, "tiny-2").place(rows) == 2
    assert (Cursor(1, "tiny-9").place(rows), Cursor(9, "tiny-9").place(rows), Cursor(9).place([])) == (1, 2, 0)


def test_where_there_are_no_rows_none_is_marked() -> None:
    """Nor in a box that has none."""
    assert SCENE.marked("replicas").name == "tiny-1"
    assert SCENE.marked("speed") is None
    assert replace(SCENE, picture=Picture()).marked("replicas") is None


def test_rows_are_told_apart() -> None:
    """Requests by their ids, others by their names."""
    assert [key_of(row) for row in (picture().requests[0], picture().replicas[0])] == ["request-0", "tiny-1"]


def test_inks_are_the_themes() -> None:
    """Text in what can be read, lines and meters in what the theme has."""
    palette = SCENE.palette
    assert SCENE.ink("bad", is_bold=True) == (palette.bad, "", True)
    assert SCENE.line_ink("cpu_box").color == palette.colors["cpu_box"]
    assert SCENE.value_ink("cpu", 0.5).color == palette.values["cpu"][50]
    assert SCENE.fill_ink("cpu", 7).color == palette.gradients["cpu"][100]


def test_times_of_day_are_those_of_the_user() -> None:
    """Or of whoever is asked for."""
    assert SCENE.time(WALL) == "22:13:20"
    assert replace(SCENE, zone=timezone(timedelta(hours=2))).time(WALL) == "00:13:20"
