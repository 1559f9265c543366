"""The terminal's own colours."""

import pytest

from vllm_gateway.terminal.themes.btop_file import DEFAULTS, GRADIENTS
from vllm_gateway.terminal.themes.terminal16 import terminal_palette

PALETTE = terminal_palette()
COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
KNOWN = {name for color in COLORS for name in (color, f"bright_{color}")}


def test_only_the_16_colours_and_the_terminals_own_are_used() -> None:
    """Every key and every step of a gradient has one."""
    assert set(PALETTE.colors) == set(DEFAULTS)
    used = {*PALETTE.colors.values(), *(step for steps in PALETTE.gradients.values() for step in steps)}
    used |= {PALETTE.hot, PALETTE.good, PALETTE.warn, PALETTE.bad, PALETTE.selected}
    assert used <= {*KNOWN, "default"}


def test_text_is_as_readable_as_the_terminal_makes_it() -> None:
    """It is in the terminal's own colour on the terminal's own background."""
    assert {PALETTE.text, PALETTE.muted, PALETTE.title, PALETTE.background} == {"default"}
    assert PALETTE.is_ansi


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("cpu", {0: "bright_green", 33: "bright_green", 34: "bright_yellow", 66: "bright_yellow", 67: "bright_red"}),
        ("used", {0: "red", 50: "red", 51: "bright_red", 100: "bright_red"}),
    ],
)
def test_gradients_are_steps(name: str, steps: dict[int, str]) -> None:
    """Sixteen colours do not blend."""
    assert all(len(PALETTE.gradients[each]) == 101 for each in GRADIENTS)
    assert {at: PALETTE.gradients[name][at] for at in steps} == steps
