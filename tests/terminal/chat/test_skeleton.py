"""The first frame."""

import os
import pty
import termios

import pytest

from vllm_gateway.terminal.chat.skeleton import held, skeleton


@pytest.mark.parametrize("size", [(80, 24), (20, 8), (200, 60)])
def test_it_fills_the_screen_but_for_the_last_line(size: tuple[int, int]) -> None:
    """Every line is as wide as the screen."""
    rows = skeleton(size).split("\r\n")
    assert [len(row) for row in rows] == [size[0]] * (size[1] - 1)
    assert rows[0].startswith("╭─ New chat ─")


def test_a_screen_that_is_too_small_gets_none() -> None:
    """What follows will do what it can."""
    assert skeleton((19, 24)) == skeleton((80, 7)) == ""


def test_what_is_typed_meanwhile_is_kept_as_it_is() -> None:
    """Enter stays Enter and is not seen; afterwards the terminal is as it was."""
    outer, inner = pty.openpty()
    with os.fdopen(inner, "r", closefd=True) as keyboard:
        before = termios.tcgetattr(inner)
        with held(keyboard):
            os.write(outer, b"hi\r")
            assert os.read(inner, 10) == b"hi\r"
        assert termios.tcgetattr(inner) == before
    os.close(outer)
