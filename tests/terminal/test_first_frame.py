"""What is seen at first."""

import io
import os
import pty
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

from vllm_gateway.terminal.first_frame import first_frame, held


@contextmanager
def keyboard() -> Iterator[tuple[int, TextIO]]:
    """Give a terminal, and the end of it at which somebody types."""
    outer, inner = pty.openpty()
    try:
        with os.fdopen(inner, "r") as read:
            yield outer, read
    finally:
        os.close(outer)


def test_what_is_typed_meanwhile_is_kept_as_it_is() -> None:
    """Enter stays Enter and is not seen; afterwards the terminal is as it was."""
    with keyboard() as (outer, typed):
        before = termios.tcgetattr(typed.fileno())
        with held(typed):
            os.write(outer, b"hi\r")
            assert os.read(typed.fileno(), 10) == b"hi\r"
        assert termios.tcgetattr(typed.fileno()) == before


def test_what_is_told_meanwhile_is_told_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    """On the other screen nobody would see it; an exception changes nothing about that."""
    screen = io.StringIO()

    def fail() -> None:
        with keyboard() as (_, typed), first_frame(screen, typed, "a frame"):
            assert screen.getvalue().endswith("a frame")
            sys.stderr.write("There is no theme of this name.")
            assert capsys.readouterr().err == ""
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert screen.getvalue().endswith("\x1b[?1049l\x1b[?25h")
    assert capsys.readouterr().err == "There is no theme of this name."
