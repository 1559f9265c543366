"""A palette as a theme of Textual."""

import pytest

from tests.terminal.themes.test_palette import CHOSEN, NOWHERE, rgb
from vllm_gateway.terminal.themes.colors import READABLE, contrast
from vllm_gateway.terminal.themes.loading import Themes
from vllm_gateway.terminal.themes.palette import Palette, make_palette
from vllm_gateway.terminal.themes.terminal16 import terminal_palette
from vllm_gateway.terminal.themes.textual_theme import textual_theme, theme_name


@pytest.mark.parametrize("name", CHOSEN)
def test_what_textual_writes_can_be_read(name: str) -> None:
    """Its text, keys and messages on everything that may be behind them, in every theme."""
    theme = textual_theme(Themes(NOWHERE).load(name))
    generated = theme.to_color_system().generate()
    texts = ("foreground", "text", "text-muted", "text-accent", "text-success", "text-warning", "text-error")
    for behind in ("background", "surface", "panel"):
        for text in (*texts, "footer-key-foreground"):
            assert contrast(rgb(generated[text]), rgb(generated[behind])) >= READABLE, (name, text, behind)
    cursor = rgb(generated["block-cursor-foreground"]), rgb(generated["block-cursor-background"])
    assert contrast(*cursor) >= READABLE


@pytest.mark.parametrize("palette", [terminal_palette(), make_palette("clear", {"main_bg": ""})])
def test_the_terminals_background_is_left_alone(palette: Palette) -> None:
    """Textual draws none, in the terminal's own colours as in a theme without a background."""
    theme = textual_theme(palette)
    assert (theme.ansi, theme.background, theme.surface) == (True, "ansi_default", "ansi_default")


def test_other_colours_have_another_name() -> None:
    """A theme file that was changed is noticed; one of btop's is never taken for one of Textual's own."""
    names = [theme_name(make_palette("nord", theme)) for theme in ({}, {"title": "#123456"}, {})]
    assert names[0] == names[2] != names[1]
    assert all(name.startswith("vllm-gateway nord ") for name in names)
