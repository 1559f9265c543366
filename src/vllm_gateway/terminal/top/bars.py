"""The first line and the last one: where this is and how it goes; which keys there are."""

from dataclasses import dataclass
from textwrap import wrap

from vllm_gateway.terminal.top.ink import Ink, Line, Piece, cells, filled, fitted
from vllm_gateway.terminal.top.layout import PRESETS
from vllm_gateway.terminal.top.scene import Scene


@dataclass(frozen=True, slots=True)
class Status:
    """How the watching itself goes."""

    url: str
    every_s: float
    preset: int = 1
    fault: str | None = None
    """Why there is no newer picture."""


KEYS = (
    ("q", "quit"),
    ("?", "help"),
    ("1-5", "preset"),
    ("tab", "box"),
    ("s", "sort"),
    ("/", "filter"),
    ("space", "pause"),
    ("d", "drain"),
    ("r", "resume"),
    ("x", "stop"),
    ("t", "theme"),
)


def paint_header(scene: Scene, status: Status, width: int) -> Line:
    """Return the first line; what is wrong takes the place of where this is."""
    clock = [
        Piece(f" {scene.time(scene.wall)}", scene.ink("text")),
        Piece(f" {status.every_s:g}s ", scene.ink("muted")),
    ]
    marks: Line = []
    if scene.view.words:
        marks.append(Piece(f" /{fitted(scene.view.words, min(len(scene.view.words), 20))} ", scene.ink("hot")))
    if scene.view.is_paused:
        marks.append(Piece(" PAUSED ", Ink(scene.palette.selected, scene.palette.colors["selected_bg"], is_bold=True)))
    room = max(width - cells(marks) - cells(clock), 0)
    return filled([*filled(_told(scene, status), room, scene.ink("text")), *marks, *clock], width, scene.ink("text"))


def paint_fault(scene: Scene, fault: str, width: int, height: int) -> list[Line]:
    """Return the lines of a screen on which there is nothing to show yet but why."""
    told = wrap(fault, max(width - 4, 1))[:height]
    lines: list[Line] = [[Piece(f"  {line}", scene.ink("bad"))] for line in ["", *told]]
    return [filled(line, width, scene.ink("text")) for line in [*lines, *([[]] * height)][:height]]


def paint_keys(scene: Scene, width: int) -> Line:
    """Return the last line: as many keys as there is room for."""
    line: Line = []
    for key, does in KEYS:
        pieces = [Piece(f" {key}", scene.ink("hot", is_bold=True)), Piece(f" {does}", scene.ink("muted"))]
        if cells([*line, *pieces]) > width:
            break
        line += pieces
    return filled(line, width, scene.ink("text"))


def _told(scene: Scene, status: Status) -> Line:
    if status.fault is not None:
        return [Piece(f" {status.fault}", scene.ink("bad", is_bold=True))]
    title = Piece(" vllm-gateway top", scene.ink("title", is_bold=True))
    return [
        title,
        Piece(f"  {PRESETS[status.preset][0]}", scene.ink("hot")),
        Piece(f"  {status.url}", scene.ink("muted")),
    ]
