"""Rows under titles: which columns there is room for, which rows are in sight, which one is marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vllm_gateway.terminal.top.boxes.frame import EDGES, framed
from vllm_gateway.terminal.top.ink import Ink, Line, Piece, filled, fitted, inked
from vllm_gateway.terminal.top.scene import Cursor, Scene

Cell = Callable[[Scene, Any, int], Line]
"""Draws one cell of so many columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    width: int
    cell: Cell
    rank: int = 0
    """The higher, the sooner it is left out where there is not room for all."""
    sort: str = ""
    """What the box is sorted by when it is sorted by this."""
    grows: int = 0
    """Its share of the room that is left over."""
    is_right: bool = False


def text_cell(read: Callable[[Any], str], ink: str = "text", *, right: bool = False) -> Cell:
    """Return what draws a text."""
    return lambda scene, row, width: [Piece(fitted(read(row), width, right=right), scene.ink(ink))]


def framed_table(
    scene: Scene, box: str, columns: Sequence[Column], width: int, height: int, *, title: str, color: str, empty: str
) -> list[Line]:
    """Return a box that is a table: the rows of `box` in their order, those in sight."""
    rows = scene.rows(box)
    room = max(width - EDGES, 0)
    cursor = scene.cursors.get(box, Cursor())
    at = cursor.place(rows)
    seen = max(height - EDGES - 1, 0)
    first = first_seen(at, len(rows), seen)
    chosen = fitting(columns, room)
    lines = [_titles(scene, box, chosen)]
    for index, row in enumerate(rows[first : first + seen], first):
        line = _row(scene, row, chosen)
        if index == at and scene.view.focus == box:
            meter = scene.glyphs.full + scene.glyphs.hollow
            line = inked(filled(line, room, scene.ink("text")), _mark(scene), but=meter)
        lines.append(line)
    if not rows:
        said = f"Nothing matches '{scene.view.words}'." if scene.view.words else empty
        lines.append([Piece(f" {said}", scene.ink("muted"))])
    return framed(scene, lines, width, height, title=title, color=color, note=_note(scene, box, first, seen, len(rows)))


def fitting(columns: Sequence[Column], room: int) -> list[tuple[Column, int]]:
    """Return the columns that there is room for, with their widths; the least important ones are left out first."""
    chosen = list(columns)
    while len(chosen) > 1 and _needed(chosen) > room:
        chosen.remove(max(reversed(chosen), key=lambda column: column.rank))
    left = max(room - _needed(chosen), 0)
    shares = sum(column.grows for column in chosen)
    return [(column, column.width + (left * column.grows // shares if shares else 0)) for column in chosen]


def first_seen(at: int, count: int, seen: int) -> int:
    """Return the first row in sight: the marked one is among them, and no line is left empty while there are rows."""
    return max(0, min(at - seen // 2, count - seen))


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width + 1 for column in columns)


def _titles(scene: Scene, box: str, columns: Sequence[tuple[Column, int]]) -> Line:
    order = scene.view.order(box)
    line: Line = []
    for column, width in columns:
        is_sorted = column.sort == order.by
        title = column.title
        if is_sorted:
            title += scene.glyphs.up if order.is_reversed else scene.glyphs.falling
        ink = scene.ink("hot" if is_sorted else "muted", is_bold=is_sorted)
        line.append(Piece(" " + fitted(title, width, right=column.is_right), ink))
    return line


def _row(scene: Scene, row: Any, columns: Sequence[tuple[Column, int]]) -> Line:  # noqa: ANN401 - a row of any box
    gap = Piece(" ", scene.ink("text"))
    line: Line = []
    for column, width in columns:
        line.append(gap)
        line += column.cell(scene, row, width)
    return line


def _mark(scene: Scene) -> Ink:
    return Ink(scene.palette.selected, scene.palette.colors["selected_bg"], is_bold=True)


def _note(scene: Scene, box: str, first: int, seen: int, count: int) -> str:
    """Return which of how many rows are in sight, where not all of them are."""
    everything = len(getattr(scene.picture, box))
    of = f"{count} of {everything}" if count != everything else str(count)
    return f"{first + 1}-{min(first + seen, count)} of {of}" if count > seen > 0 else of if count != everything else ""


def row_at(line: int, at: int, count: int, height: int) -> int | None:
    """Return which row a line of the box shows, counted from its frame's upper line; None: it shows none."""
    seen = max(height - EDGES - 1, 0)
    inside = line - 2
    row = first_seen(at, count, seen) + inside
    return row if 0 <= inside < seen and row < count else None
