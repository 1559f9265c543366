"""Lines of coloured text."""

from vllm_gateway.terminal.top.glyphs import ASCII, UNICODE
from vllm_gateway.terminal.top.ink import Ink, Piece, cells, drawable, filled, fitted, inked, plain

INK = Ink("#ffffff")


def test_text_fills_its_cells() -> None:
    """On the left, or on the right; what is too long says so; wide characters take two cells."""
    assert (fitted("ab", 4), fitted("ab", 4, right=True)) == ("ab  ", "  ab")
    assert (fitted("abcdef", 4), fitted("abcd", 4), fitted("abc", 1), fitted("abc", 0)) == ("abc…", "abcd", "a", "")
    assert (fitted("模型", 6), fitted("模型甲", 5)) == ("模型  ", "模型…")
    assert cells([Piece(fitted("模型甲", 4), INK)]) == 4


def test_a_line_is_filled_or_cut_off() -> None:
    """To exactly as many cells as there are."""
    line = [Piece("abc", INK), Piece("模型", INK)]
    assert cells(line) == 7
    assert [plain(filled(line, width, INK)) for width in (9, 7, 4, 2, 0)] == ["abc模型  ", "abc模型", "abc ", "ab", ""]


def test_a_marked_line_has_one_ink_but_for_its_meters() -> None:
    """Those tell by their colours what is full."""
    mark = Ink("#000000", "#eeeeee", is_bold=True)
    line = inked([Piece("name", INK), Piece("■■", Ink("#ff0000")), Piece("■ 5%", INK)], mark, but="■")
    assert [piece.ink.color for piece in line] == ["#000000", "#ff0000", "#000000"]
    assert {piece.ink.ground for piece in line} == {"#eeeeee"}


def test_a_terminal_without_unicode_gets_none() -> None:
    """An ellipsis has a stand-in; of other letters it is seen that there is one."""
    lines = [[Piece("abc…", INK), Piece("é模", INK)]]
    assert [plain(line) for line in drawable(lines, ASCII)] == ["abc~??"]
    assert drawable(lines, UNICODE) == lines
