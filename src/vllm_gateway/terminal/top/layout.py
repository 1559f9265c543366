"""Which boxes are on the screen, and where: presets, as btop has them."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from vllm_gateway.terminal.top.boxes import PAINTERS
from vllm_gateway.terminal.top.boxes.frame import framed
from vllm_gateway.terminal.top.ink import Line, Piece
from vllm_gateway.terminal.top.scene import Scene

LEAST_LINES = 4
"""A box with fewer shows nothing."""
LEAST_COLUMNS = 24
_SUMMARY_COLUMNS = 38
_TITLES = {"speed": "tokens per second"}


class Band(NamedTuple):
    """Boxes beside each other."""

    weight: int
    """Its share of the height."""
    boxes: tuple[str, ...]


class Place(NamedTuple):
    """Where a box is."""

    box: str
    x: int
    y: int
    width: int
    height: int

    def holds(self, x: int, y: int) -> bool:
        """Say whether a cell is in it."""
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height


PRESETS: Mapping[int, tuple[str, Sequence[Band]]] = {
    1: ("all", (Band(5, ("replicas",)), Band(3, ("speed", "summary")), Band(4, ("requests", "events")))),
    2: ("fleet", (Band(3, ("replicas",)), Band(1, ("speed", "summary")))),
    3: ("traffic", (Band(1, ("requests",)), Band(1, ("events",)))),
    4: ("shares", (Band(1, ("models",)), Band(1, ("callers",)), Band(1, ("speed", "summary")))),
    5: ("speed", (Band(2, ("speed",)), Band(1, ("replicas",)))),
}
"""By the key that picks it."""


def laid_out(preset: int, width: int, height: int) -> list[Place]:
    """Return where the boxes of a preset are; where there is not room for all, the last ones are left out."""
    strips = list(PRESETS[preset][1])
    while len(strips) > 1 and height < len(strips) * LEAST_LINES:
        strips.pop()
    places, y = [], 0
    for strip, lines in zip(strips, _heights(strips, height), strict=True):
        x = 0
        for box, columns in _widths(strip.boxes, width):
            places.append(Place(box, x, y, columns, lines))
            x += columns
        y += lines
    return places


def painted(scene: Scene, places: Sequence[Place], height: int) -> list[Line]:
    """Return the lines of the whole screen."""
    return _filled(places, height, lambda place: PAINTERS[place.box](scene, place.width, place.height))


def outlined(scene: Scene, places: Sequence[Place], height: int) -> list[Line]:
    """Return them while there is no picture yet: boxes in which nothing is told."""

    def outline(place: Place) -> list[Line]:
        title = _TITLES.get(place.box, place.box)
        return framed(scene, [], place.width, place.height, title=title, color="div_line")

    return _filled(places, height, outline)


def _filled(places: Sequence[Place], height: int, paint: Callable[[Place], list[Line]]) -> list[Line]:
    lines: list[Line] = [[] for _ in range(height)]
    for place in places:
        for at, line in enumerate(paint(place), place.y):
            lines[at] += line
    return [_joined(line) for line in lines]


def _joined(line: Line) -> Line:
    """Return a line in as few pieces as it has changes of ink."""
    out: Line = []
    for piece in line:
        if out and out[-1].ink == piece.ink:
            out[-1] = Piece(out[-1].text + piece.text, piece.ink)
        else:
            out.append(piece)
    return out


def _heights(strips: Sequence[Band], height: int) -> list[int]:
    """Return how many lines each gets: its share, but never so few that it shows nothing while others have more."""
    if len(strips) * LEAST_LINES > height:
        return [height]
    spare, weights = height - len(strips) * LEAST_LINES, sum(strip.weight for strip in strips)
    wanted = [height * strip.weight / weights - LEAST_LINES for strip in strips]
    over = sum(max(each, 0.0) for each in wanted) or 1.0
    heights = [LEAST_LINES + int(spare * max(each, 0.0) / over) for each in wanted]
    heights[0] += height - sum(heights)
    return heights


def _widths(boxes: tuple[str, ...], width: int) -> list[tuple[str, int]]:
    """Return how many columns each gets; the summary has a width of its own, others share alike."""
    if len(boxes) == 1 or width < 2 * LEAST_COLUMNS:
        return [(boxes[0], width)]
    last = min(_SUMMARY_COLUMNS, width // 2) if boxes[1] == "summary" else width // 2
    return [(boxes[0], width - last), (boxes[1], last)]
