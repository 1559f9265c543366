"""How many tokens the fleet reads and makes per second."""

from collections.abc import Sequence

from vllm_gateway.terminal.top.boxes.frame import EDGES, framed
from vllm_gateway.terminal.top.figures import count
from vllm_gateway.terminal.top.ink import Line, Piece, cells
from vllm_gateway.terminal.top.scene import Scene

_ROUND = (1, 2, 5)


def paint_speed(scene: Scene, width: int, height: int) -> list[Line]:
    """Return the box: answers above, prompts below."""
    room, lines = max(width - EDGES, 0), max(height - EDGES, 0)
    upper = (lines + 1) // 2
    out, read = f"out {count(scene.picture.made_per_s)}/s", f"in {count(scene.picture.read_per_s)}/s"
    inside = [
        *_graph(scene, scene.history.made, (room, upper), gradient="upload", told=out),
        *_graph(scene, scene.history.read, (room, lines - upper), gradient="download", told=read),
    ]
    return framed(scene, inside, width, height, title="tokens per second", color="net_box")


def _graph(scene: Scene, values: Sequence[float], size: tuple[int, int], *, gradient: str, told: str) -> list[Line]:
    """Return a graph, higher lines in higher colours, with its figures in its first line."""
    width, height = size
    if height < 1:
        return []
    per_cell = 2 if scene.glyphs.has_braille else 1
    most = ceiling(max(values[-width * per_cell :], default=0.0))
    drawn = scene.glyphs.graph(values, width, height, most)
    lines: list[Line] = [
        [Piece(text, scene.fill_ink(gradient, (height - at) / height))] for at, text in enumerate(drawn)
    ]
    legend: Line = [
        Piece(f" {told}", scene.value_ink(gradient, 1)),
        Piece(f" of {count(most)} ", scene.ink("muted")),
    ]
    rest = drawn[0][cells(legend) :]
    lines[0] = [*legend, Piece(rest, scene.fill_ink(gradient, 1))]
    return lines


def ceiling(value: float) -> float:
    """Return the next round number, so that a graph does not change its scale with every value."""
    step = 1
    while True:
        for each in _ROUND:
            if value <= each * step:
                return float(each * step)
        step *= 10
