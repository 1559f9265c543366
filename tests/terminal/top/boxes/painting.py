"""A scene, and what a box of it says."""

from dataclasses import replace
from datetime import UTC
from typing import Any

from tests.terminal.top.fleet import THEMES, WALL, history, picture
from vllm_gateway.terminal.top.boxes import PAINTERS
from vllm_gateway.terminal.top.glyphs import UNICODE
from vllm_gateway.terminal.top.ink import Line, plain
from vllm_gateway.terminal.top.scene import Scene

SCENE = Scene(picture(), THEMES.load("harbour"), UNICODE, WALL, zone=UTC)


def scene(**changes: Any) -> Scene:  # noqa: ANN401 - any member
    """Return a scene with another picture, view or whatever else."""
    return replace(SCENE, history=history(SCENE.picture, 40), **changes)


def texts(box: str, width: int = 100, height: int = 12, **changes: Any) -> list[str]:  # noqa: ANN401 - any member
    """Return the lines of a box without their colours, and without its frame."""
    return [plain(line)[1:-1].rstrip() for line in painted(box, width, height, **changes)[1:-1]]


def painted(box: str, width: int = 100, height: int = 12, **changes: Any) -> list[Line]:  # noqa: ANN401 - any member
    """Return the lines of a box."""
    return PAINTERS[box](scene(**changes), width, height)


def color_of(lines: list[Line], text: str) -> str:
    """Return the colour in which a text is drawn."""
    return next(piece.ink.color for line in lines for piece in line if text in piece.text)
