"""The first frame."""

import pytest

from vllm_gateway.terminal.chat.skeleton import skeleton


@pytest.mark.parametrize("size", [(80, 24), (20, 8), (200, 60)])
def test_it_fills_the_screen_but_for_the_last_line(size: tuple[int, int]) -> None:
    """Every line is as wide as the screen."""
    rows = skeleton(size).split("\r\n")
    assert [len(row) for row in rows] == [size[0]] * (size[1] - 1)
    assert rows[0].startswith("╭─ New chat ─")


def test_a_screen_that_is_too_small_gets_none() -> None:
    """What follows will do what it can."""
    assert skeleton((19, 24)) == skeleton((80, 7)) == ""
