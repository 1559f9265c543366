"""Terminals that know no UTF-8: lines become dashes, and what has no likeness becomes a question mark."""

import codecs
import io
import sys
from typing import TextIO

from vllm_gateway.settings.surroundings import said

_LIKE = str.maketrans(
    {
        **dict.fromkeys("─━╌╍═▁▔", "-"),
        **dict.fromkeys("│┃║▌▐▏▕", "|"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝", "+"),
        **dict.fromkeys("█▇▆▅▄▃▂▀▉▊▋", "#"),
        **dict.fromkeys("·•◦", "*"),
        **dict.fromkeys("\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}", "'"),
        **dict.fromkeys("\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}", '"'),
        **dict.fromkeys("\N{EN DASH}\N{EM DASH}", "-"),
        "▸": ">",
        "▾": "v",
        "…": ".",
        "\N{NO-BREAK SPACE}": " ",
    }
)
_NAME = "vllm-gateway-plain"


def make_plain(terminal: TextIO) -> bool:
    """Have a terminal's text replaced by what it can show, character for character; say whether that is less than all.

    Python takes a terminal without a locale for one that knows UTF-8, which is true nearly everywhere. Who says that
    the locale is `C` means it.
    """
    if not isinstance(terminal, io.TextIOWrapper):
        return False
    codecs.register_error(_NAME, _replaced)
    is_guessed = sys.flags.utf8_mode == 1 and said("PYTHONUTF8") is None and said("PYTHONIOENCODING") is None
    if is_guessed and not knows_utf_8(said("LC_ALL") or said("LANG")):
        terminal.reconfigure(encoding="ascii", errors=_NAME)
    else:
        terminal.reconfigure(errors=_NAME)
    return not terminal.encoding.lower().startswith("utf")


def knows_utf_8(locale: str | None) -> bool:
    """Say whether a terminal of this locale can show everything; one that says nothing can."""
    charset = (locale or "").partition(".")[2].partition("@")[0].lower()
    return charset.startswith("utf") if charset else locale not in {"C", "POSIX"}


def _replaced(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    text = fault.object[fault.start : fault.end].translate(_LIKE)
    return "".join(character if character.isascii() else "?" for character in text), fault.end
