"""Lines of coloured text, before anything draws them."""

from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from vllm_gateway.terminal.top.glyphs import Glyphs


class Ink(NamedTuple):
    """How a piece of text is drawn; colours are those of a palette."""

    color: str
    ground: str = ""
    """What is behind it; empty: what is behind everything."""
    is_bold: bool = False


class Piece(NamedTuple):
    """Text in one ink."""

    text: str
    ink: Ink


Line = list[Piece]


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Return text that fills exactly so many cells; what is too long ends with an ellipsis."""
    cells = len(text) if text.isascii() else cell_len(text)
    if cells > width:
        return text[:width] if width <= 1 else f"{set_cell_size(text, width - 1)}\N{HORIZONTAL ELLIPSIS}"
    space = " " * (width - cells)
    return space + text if right else text + space


def cells(line: Iterable[Piece]) -> int:
    """Return how wide a line is."""
    return sum(len(piece.text) if piece.text.isascii() else cell_len(piece.text) for piece in line)


def filled(line: Line, width: int, ink: Ink) -> Line:
    """Return a line of exactly so many cells: cut off, or filled up with spaces."""
    room, out = width, []
    for piece in line:
        wide = len(piece.text) if piece.text.isascii() else cell_len(piece.text)
        if wide > room:
            out.append(Piece(set_cell_size(piece.text, room), piece.ink))
            return out
        out.append(piece)
        room -= wide
    if room:
        out.append(Piece(" " * room, ink))
    return out


def plain(line: Iterable[Piece]) -> str:
    """Return a line without its colours."""
    return "".join(piece.text for piece in line)


def inked(line: Iterable[Piece], ink: Ink, *, but: str = "") -> Line:
    """Return a line in one ink, as a marked one is; pieces of nothing but the characters of `but` keep their colour."""
    return [Piece(piece.text, ink if piece.text.strip(but) else ink._replace(color=piece.ink.color)) for piece in line]


def drawable(lines: Iterable[Line], glyphs: Glyphs) -> list[Line]:
    """Return lines as the terminal can draw them: where it knows no Unicode, something else stands for the rest."""
    if glyphs.has_braille:
        return list(lines)
    return [[Piece(_ascii(piece.text, glyphs), piece.ink) for piece in line] for line in lines]


def _ascii(text: str, glyphs: Glyphs) -> str:
    if text.isascii():
        return text
    return text.replace("\N{HORIZONTAL ELLIPSIS}", glyphs.ellipsis).encode("ascii", "replace").decode()
