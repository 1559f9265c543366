"""The frame around a box, with its title in the upper line and what is to be known of all of it in the lower one."""

from vllm_gateway.terminal.top.ink import Ink, Line, Piece, cells, filled, fitted
from vllm_gateway.terminal.top.scene import Scene

EDGES = 2
"""What a frame takes of the width, and of the height."""


def framed(
    scene: Scene, inside: list[Line], width: int, height: int, *, title: str, color: str, note: str = ""
) -> list[Line]:
    """Return lines with a frame around them, exactly so wide and so high.

    Args:
        scene: What it is seen with.
        inside: The lines; what is missing is empty, what is too much is cut off.
        width: Of all, in cells.
        height: Of all, in lines.
        title: Stands in the upper line.
        color: btop's key for this box.
        note: Stands in the lower line.
    """
    if width <= EDGES or height < EDGES:
        return [filled([], width, scene.ink("text")) for _ in range(height)]
    glyphs, edge = scene.glyphs, scene.line_ink(color)
    room = width - EDGES
    blank = scene.ink("text")
    body = [*inside, *([[]] * height)][: height - EDGES]
    side = Piece(glyphs.down, edge)
    has_focus = title.split(" ", 1)[0] == scene.view.focus
    upper = _ruled(scene, title, room, edge, scene.ink("title", is_bold=has_focus))
    lower = _ruled(scene, note, room, edge, scene.ink("muted"))
    return [
        [Piece(glyphs.top_left, edge), *upper, Piece(glyphs.top_right, edge)],
        *([side, *filled(line, room, blank), side] for line in body),
        [Piece(glyphs.bottom_left, edge), *lower, Piece(glyphs.bottom_right, edge)],
    ]


def _ruled(scene: Scene, text: str, width: int, edge: Ink, ink: Ink) -> Line:
    """Return a horizontal line with text in it."""
    glyphs = scene.glyphs
    room = width - 4
    if not text or room < 1:
        return [Piece(glyphs.across * width, edge)]
    shown = fitted(text, min(room, cells([Piece(text, ink)])))
    rest = glyphs.across * (room - cells([Piece(shown, ink)]))
    opening, closing = glyphs.across + glyphs.before_title, glyphs.after_title + glyphs.across
    return [Piece(opening, edge), Piece(shown, ink), Piece(closing + rest, edge)]
