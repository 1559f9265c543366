"""Terminals that know no UTF-8: lines become dashes, and what has no likeness becomes a question mark."""

import codecs
import io

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


def make_plain(terminal: io.TextIOWrapper) -> None:
    """Have a terminal's text replaced by what it can show, character for character."""
    codecs.register_error(_NAME, _replaced)
    terminal.reconfigure(errors=_NAME)


def _replaced(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    text = fault.object[fault.start : fault.end].translate(_LIKE)
    return "".join(character if character.isascii() else "?" for character in text), fault.end
