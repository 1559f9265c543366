"""The first frame: the boxes of the chat, drawn without the library that draws all others."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_PROMPT_LINES = 3
_LEAST_COLUMNS = 20
_LEAST_LINES = 8


def skeleton(size: tuple[int, int] | None = None) -> str:
    """Return what is written to a terminal of this size, columns and lines."""
    columns, lines = size or shutil.get_terminal_size()
    if columns < _LEAST_COLUMNS or lines < _LEAST_LINES:
        return ""
    transcript = lines - 1 - _PROMPT_LINES
    rows = [*_box("New chat", columns, transcript), *_box("Message", columns, _PROMPT_LINES)]
    return "\r\n".join(rows)


@contextmanager
def held(keyboard: TextIO) -> Iterator[None]:
    """Keep what is typed from now on as it is typed, Enter as Enter and unseen, until somebody reads it."""
    if sys.platform == "win32":
        yield
        return
    import termios  # noqa: PLC0415 - there is none on Windows

    number = keyboard.fileno()
    before = termios.tcgetattr(number)
    now = termios.tcgetattr(number)
    now[0] &= ~termios.ICRNL
    now[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(number, termios.TCSANOW, now)
    try:
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _box(title: str, columns: int, lines: int) -> list[str]:
    inner = columns - 2
    middle = f"│{' ' * inner}│"
    return [f"╭─ {title} {'─' * (inner - len(title) - 3)}╮", *[middle] * (lines - 2), f"╰{'─' * inner}╯"]
