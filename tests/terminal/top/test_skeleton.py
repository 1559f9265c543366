"""The first frame of `top`."""

import pytest

from tests.terminal.top.fleet import WALL
from vllm_gateway.terminal.top.bars import Status
from vllm_gateway.terminal.top.glyphs import ASCII, UNICODE
from vllm_gateway.terminal.top.skeleton import skeleton

STATUS = Status("http://127.0.0.1:8081", 1.0)


@pytest.mark.parametrize("size", [(80, 24), (30, 8), (200, 60)])
def test_it_fills_the_screen(size: tuple[int, int]) -> None:
    """Where it is, the boxes of the preset with nothing in them, the keys."""
    rows = skeleton(STATUS, wall=WALL, glyphs=UNICODE, size=size).split("\r\n")
    assert [len(row) for row in rows] == [size[0]] * size[1]
    assert rows[0].startswith(" vllm-gateway top")
    assert rows[1].startswith("╭─┐replicas┌─")
    assert rows[-1].startswith(" q quit")


def test_a_terminal_that_is_tiny_gets_what_fits() -> None:
    """Not a line more than it has."""
    assert skeleton(STATUS, wall=WALL, glyphs=UNICODE, size=(10, 1)).count("\n") == 0


def test_plain_characters_are_enough() -> None:
    """For terminals that know no others."""
    assert skeleton(STATUS, wall=WALL, glyphs=ASCII, size=(80, 24)).isascii()
