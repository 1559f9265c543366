"""The first frame: the boxes without anything in them, drawn without the library that draws all others."""

import shutil

from vllm_gateway.terminal.themes.terminal16 import terminal_palette
from vllm_gateway.terminal.top.bars import Status, paint_header, paint_keys
from vllm_gateway.terminal.top.glyphs import Glyphs
from vllm_gateway.terminal.top.ink import drawable, plain
from vllm_gateway.terminal.top.layout import laid_out, outlined
from vllm_gateway.terminal.top.picture import Picture
from vllm_gateway.terminal.top.scene import Scene
from vllm_gateway.terminal.top.view import View

_EDGE_LINES = 2


def skeleton(status: Status, *, wall: float, glyphs: Glyphs, size: tuple[int, int] | None = None) -> str:
    """Return what is written to a terminal of this size, columns and lines."""
    columns, lines = size or shutil.get_terminal_size()
    scene = Scene(Picture(), terminal_palette(), glyphs, wall, view=View(focus=""))
    room = max(lines - _EDGE_LINES, 1)
    middle = outlined(scene, laid_out(status.preset, columns, room), room)
    drawn = [paint_header(scene, status, columns), *middle, paint_keys(scene, columns)]
    return "\r\n".join(plain(line) for line in drawable(drawn, glyphs)[:lines])
