"""What is seen while the library that draws everything is still being loaded."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import TextIO

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[H", "\x1b[?1049l\x1b[?25h"


@contextmanager
def first_frame(terminal: TextIO, keyboard: TextIO, frame: str) -> Iterator[None]:
    """Show a frame at once; at the end the terminal is as it was.

    What is typed meanwhile waits for whoever reads the keyboard first. What is told on stderr meanwhile is told when
    the screen is left, for what is written on that screen is gone with it.
    """
    told = io.StringIO()
    try:
        with held(keyboard), redirect_stderr(told):
            terminal.write(_ENTER + frame)
            terminal.flush()
            yield
    finally:
        terminal.write(_LEAVE)
        terminal.flush()
        sys.stderr.write(told.getvalue())


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
