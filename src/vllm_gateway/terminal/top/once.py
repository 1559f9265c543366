"""One picture, printed: as JSON for programs, or as the screen would show it."""

from vllm_gateway import codec
from vllm_gateway.terminal.themes.terminal16 import terminal_palette
from vllm_gateway.terminal.top.boxes import PAINTERS
from vllm_gateway.terminal.top.boxes.frame import EDGES
from vllm_gateway.terminal.top.glyphs import Glyphs
from vllm_gateway.terminal.top.ink import drawable, plain
from vllm_gateway.terminal.top.picture import Picture
from vllm_gateway.terminal.top.scene import Scene
from vllm_gateway.terminal.top.view import View

_BOXES = ("replicas", "models", "callers", "requests", "events")
_MOST_ROWS = 40
_SUMMARY_LINES = 8
_SUMMARY_COLUMNS = 38


def printed_json(picture: Picture) -> str:
    """Return it for programs."""
    return codec.dumps_pretty(picture.as_json()).decode()


def printed(picture: Picture, *, wall: float, glyphs: Glyphs, width: int) -> str:
    """Return it for people, without colours: every row of every box, up to a bound."""
    scene = Scene(picture, terminal_palette(), glyphs, wall, view=View(focus=""))
    lines = PAINTERS["summary"](scene, min(width, _SUMMARY_COLUMNS), _SUMMARY_LINES)
    for box in _BOXES:
        rows = min(max(len(getattr(picture, box)), 1), _MOST_ROWS)
        lines += PAINTERS[box](scene, width, rows + EDGES + 1)
    return "".join(f"{plain(line).rstrip()}\n" for line in drawable(lines, glyphs))
