"""All that decides how the screen looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from vllm_gateway.terminal.themes import Palette
from vllm_gateway.terminal.top.glyphs import Glyphs
from vllm_gateway.terminal.top.history import History
from vllm_gateway.terminal.top.ink import Ink
from vllm_gateway.terminal.top.picture import Picture
from vllm_gateway.terminal.top.view import SORTS, View, rows


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row that is marked: it is followed where it goes, and where it is gone, its place is kept."""

    index: int = 0
    key: str | None = None

    def place(self, found: Sequence[Any]) -> int:
        """Return where it is among the rows that are shown."""
        if self.key is not None:
            for index, row in enumerate(found):
                if key_of(row) == self.key:
                    return index
        return max(0, min(self.index, len(found) - 1))


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture, and what it is seen with."""

    picture: Picture
    palette: Palette
    glyphs: Glyphs
    wall: float
    """When the picture was taken."""
    view: View = field(default_factory=View)
    history: History = field(default_factory=History)
    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    zone: tzinfo | None = None
    """Whose times of day are told; None: the machine's."""

    def rows(self, box: str) -> Sequence[Any]:
        """Return the rows of a box, in their order."""
        return rows(self.picture, self.view, box)

    def marked(self, box: str) -> Any:  # noqa: ANN401 - a row of the box
        """Return the row that is marked in a box; None where there is none."""
        found = self.rows(box) if box in SORTS else ()
        return found[self.cursors.get(box, Cursor()).place(found)] if found else None

    def ink(self, name: str, *, is_bold: bool = False) -> Ink:
        """Return the ink of a kind of text: `text`, `muted`, `title`, `hot`, `good`, `warn` or `bad`."""
        return Ink(getattr(self.palette, name), is_bold=is_bold)

    def line_ink(self, key: str) -> Ink:
        """Return the ink of one of btop's colours: for lines and meters, not for text."""
        return Ink(self.palette.colors[key])

    def value_ink(self, gradient: str, share: float) -> Ink:
        """Return the ink for a number that is so far from its least to its most."""
        return Ink(self.palette.values[gradient][_percent(share)])

    def fill_ink(self, gradient: str, share: float) -> Ink:
        """Return the ink for a cell of a meter or a graph."""
        return Ink(self.palette.gradients[gradient][_percent(share)])

    def time(self, wall: float) -> str:
        """Return the time of day."""
        return datetime.fromtimestamp(wall, UTC).astimezone(self.zone).strftime("%H:%M:%S")


def key_of(row: Any) -> str:  # noqa: ANN401 - a row of any box
    """Return what tells a row from the others of its box."""
    key: str = getattr(row, "id", None) or row.name
    return key


def _percent(share: float) -> int:
    return round(min(max(share, 0.0), 1.0) * 100)
