"""The characters that boxes, meters and graphs are made of; a terminal without Unicode gets plain ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
"""Dots of the left column of a braille cell, filled from below to so many of four."""
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_BRAILLE = 0x2800
_DOTS = 4
_SHADES = " .:-=+*#"


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of them."""

    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str
    across: str
    down: str
    before_title: str
    after_title: str
    full: str
    """A filled cell of a meter."""
    hollow: str
    """An empty one."""
    up: str
    """Smallest first."""
    falling: str
    """Largest first."""
    cursor: str
    ellipsis: str
    has_braille: bool

    def meter(self, share: float, width: int) -> tuple[str, str]:
        """Return the filled and the empty cells of a meter; something is filled as soon as there is anything."""
        share = min(max(share, 0.0), 1.0)
        full = min(width, max(round(share * width), 1 if share > 0 else 0))
        return self.full * full, self.hollow * (width - full)

    def graph(self, values: Sequence[float], width: int, height: int, most: float) -> list[str]:
        """Return the lines of a graph that ends with the newest value at its right edge; `most` fills it to the top.

        With braille there are two values and four steps in every cell.
        """
        per_cell = 2 if self.has_braille else 1
        shown = list(values[-width * per_cell :])
        shown = [0.0] * (width * per_cell - len(shown)) + shown
        steps = _DOTS if self.has_braille else len(_SHADES) - 1
        heights = [_steps(value, most, height * steps) for value in shown]
        return ["".join(self._row(heights, row, steps)) for row in range(height - 1, -1, -1)]

    def _row(self, heights: Sequence[int], row: int, steps: int) -> list[str]:
        inside = [min(max(each - row * steps, 0), steps) for each in heights]
        if not self.has_braille:
            return [_SHADES[each] for each in inside]
        pairs = zip(inside[::2], inside[1::2], strict=True)
        return [chr(_BRAILLE | _LEFT[left] | _RIGHT[right]) if left or right else " " for left, right in pairs]


def _steps(value: float, most: float, steps: int) -> int:
    """Return how many steps high a value is; one at least, unless it is nothing."""
    if value <= 0 or most <= 0:
        return 0
    return min(max(round(value / most * steps), 1), steps)


UNICODE = Glyphs("╭", "╮", "╰", "╯", "─", "│", "┐", "┌", "■", "■", "▲", "▼", "▶", "…", has_braille=True)
PLAIN = replace(UNICODE, hollow="·")
"""Where there are no colours, which tell what is full otherwise."""
ASCII = Glyphs("+", "+", "+", "+", "-", "|", "[", "]", "#", ".", "<", ">", ">", "~", has_braille=False)


def glyphs_for(encoding: str | None, *, has_colors: bool = True) -> Glyphs:
    """Return what a terminal of this encoding can draw."""
    if not (encoding or "").lower().startswith("utf"):
        return ASCII
    return UNICODE if has_colors else PLAIN
