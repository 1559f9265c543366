"""Rows under titles."""

from tests.terminal.top.boxes.painting import painted, texts
from tests.terminal.top.fleet import picture
from vllm_gateway.terminal.top.boxes.table import Column, first_seen, fitting, row_at, text_cell
from vllm_gateway.terminal.top.ink import plain
from vllm_gateway.terminal.top.scene import Cursor
from vllm_gateway.terminal.top.view import View

CELL = text_cell(str)
COLUMNS = (Column("a", 5, CELL, grows=1), Column("b", 5, CELL, rank=2), Column("c", 5, CELL, rank=1, grows=3))


def test_the_least_important_columns_are_left_out_first() -> None:
    """One stays in any case; what room is left over goes to those that grow."""
    assert [[column.title for column, _ in fitting(COLUMNS, room)] for room in (18, 17, 11, 3)] == [
        ["a", "b", "c"],
        ["a", "c"],
        ["a"],
        ["a"],
    ]
    assert [width for _, width in fitting(COLUMNS, 26)] == [7, 5, 11]


def test_the_marked_row_is_in_sight() -> None:
    """In the middle where possible; no line is empty while there are rows."""
    assert [first_seen(at, 20, 5) for at in (0, 2, 3, 10, 17, 19)] == [0, 0, 1, 8, 15, 15]
    assert (first_seen(2, 3, 5), first_seen(0, 0, 5)) == (0, 0)


def test_a_click_hits_the_row_that_is_there() -> None:
    """Not the frame, not the titles, not an empty line."""
    assert [row_at(line, 0, 3, 8) for line in (0, 1, 2, 4, 5, 7)] == [None, None, 0, 2, None, None]
    assert row_at(2, 10, 20, 8) == 8


def test_it_says_which_rows_are_in_sight() -> None:
    """Where that is not all; and how many there are, where some are filtered out."""
    many = picture(20)
    assert "1-9 of 20" in plain(painted("replicas", picture=many)[-1])
    assert "3-11 of 20" in plain(painted("replicas", picture=many, cursors={"replicas": Cursor(6)})[-1])
    assert "1-9 of 11 of 20" in plain(painted("replicas", picture=many, view=View(words="tiny-1"))[-1])
    assert "of" not in plain(painted("replicas")[-1])


def test_what_it_is_sorted_by_is_seen() -> None:
    """And in which direction."""
    assert texts("requests")[0].split()[0] == "age▼"
    assert texts("requests", view=View(focus="requests").turned_over())[0].split()[0] == "age▲"


def test_only_the_box_in_focus_marks_a_row() -> None:
    """On the theme's ground for what is selected."""
    grounds = [
        [any(piece.ink.ground for piece in line) for line in painted("replicas", view=View(focus=focus))].count(True)
        for focus in ("replicas", "events")
    ]
    assert grounds == [1, 0]


def test_where_nothing_matches_it_is_said_for_what() -> None:
    """So that a filter is not taken for an outage."""
    assert texts("replicas", view=View(words="nope"))[1] == " Nothing matches 'nope'."
