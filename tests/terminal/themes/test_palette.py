"""A theme, understood."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vllm_gateway.terminal.themes.btop_file import DEFAULTS
from vllm_gateway.terminal.themes.colors import BLACK, READABLE, WHITE, Rgb, contrast, read_color
from vllm_gateway.terminal.themes.loading import SYSTEM, Themes
from vllm_gateway.terminal.themes.palette import STEPS, Palette, make_palette
from vllm_gateway.terminal.themes.places import Places
from vllm_gateway.terminal.themes.terminal16 import NAME as TERMINAL

NOWHERE = Places(Path("/nowhere"), Path("/nowhere"), ())
"""The folders of a user who has no themes, so that there are ours only."""
CHOSEN = [name for name in Themes(NOWHERE).names() if name != TERMINAL]
COLOR = st.builds("#{:02x}{:02x}{:02x}".format, *[st.integers(0, 255)] * 3)
THEME = st.fixed_dictionaries({}, optional=dict.fromkeys(DEFAULTS, COLOR | st.just("")))


def rgb(color: str) -> Rgb:
    """Return a colour that is one."""
    found = read_color(color)
    assert found is not None
    return found


def unreadable(palette: Palette) -> list[str]:
    """Return what cannot be read of all the text that is ever drawn in these colours."""
    ground = BLACK if palette.is_dark else WHITE
    if palette.background != "default":
        ground = rgb(palette.background)
    texts = {name: getattr(palette, name) for name in ("text", "muted", "title", "hot", "good", "warn", "bad")}
    texts |= {f"{name} {step}": color for name, steps in palette.values.items() for step, color in enumerate(steps)}
    poor = [
        f"{palette.name}: {name} {color} on {behind}"
        for name, color in texts.items()
        for behind in (ground, rgb(palette.raised))
        if contrast(rgb(color), behind) < READABLE
    ]
    selected_on = palette.colors["selected_bg"]
    if contrast(rgb(palette.selected), ground if selected_on == "default" else rgb(selected_on)) < READABLE:
        poor.append(f"{palette.name}: selected")
    return poor


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("has_background", [True, False])
def test_every_theme_can_be_read(name: str, *, has_background: bool) -> None:
    """No text below 4.5:1, be it a number in a gradient's colour; without a background, on what is taken for one."""
    assert len(CHOSEN) >= 6
    assert CHOSEN[0] == SYSTEM
    palette = Themes(NOWHERE).load(name, has_background=has_background)
    assert unreadable(palette) == []


@settings(max_examples=60)
@given(THEME)
def test_any_theme_can_be_read(theme: dict[str, str]) -> None:
    """Whatever somebody writes into a theme file, grey on grey too."""
    assert unreadable(make_palette("any", theme)) == []


def test_a_gradient_has_101_steps_in_whole_numbers() -> None:
    """From the start to the middle at 50, and from there to the end at 100, cut off toward zero."""
    palette = make_palette("x", {"cpu_start": "#000000", "cpu_mid": "#ff0000", "cpu_end": "#000007"})
    steps = [rgb(step) for step in palette.gradients["cpu"]]
    assert len(steps) == STEPS
    assert [steps[at] for at in (0, 1, 50, 51, 100)] == [(0, 0, 0), (5, 0, 0), (255, 0, 0), (250, 0, 0), (0, 0, 7)]


def test_a_gradient_without_a_middle_goes_straight() -> None:
    """And one without an end stays what it starts as."""
    palette = make_palette(
        "x", {"cpu_start": "#00", "cpu_mid": "", "cpu_end": "#64", "free_start": "#123456", "free_end": ""}
    )
    assert [rgb(palette.gradients["cpu"][at])[0] for at in (0, 25, 100)] == [0, 25, 100]
    assert set(palette.gradients["free"]) == {"#123456"}


def test_what_is_missing_is_btops_own() -> None:
    """But some keys have another one of the same theme to stand in."""
    palette = make_palette("x", {"inactive_fg": "#123456", "cpu_start": "#111111", "cpu_mid": "", "cpu_end": "#222222"})
    assert palette.colors["hi_fg"] == DEFAULTS["hi_fg"]
    assert (palette.colors["meter_bg"], palette.colors["graph_text"]) == ("#123456", "#123456")
    assert palette.gradients["process"] == palette.gradients["cpu"]
    own = make_palette("x", {"process_start": "#333333"})
    assert set(own.gradients["process"]) == {"#333333"}


def test_what_makes_no_sense_counts_as_missing() -> None:
    """A spelling mistake costs one colour, not the theme."""
    assert make_palette("x", {"title": "bright", "main_fg": "#12345"}).colors == make_palette("x", {}).colors


def test_an_empty_background_is_the_terminals() -> None:
    """So it is where the user wants none; what is readable is judged by the brightness of the text."""
    for theme, has_background in (
        ({"main_bg": "", "main_fg": "#ee"}, True),
        ({"main_bg": "#ff", "main_fg": "#ee"}, False),
    ):
        palette = make_palette("x", theme, has_background=has_background)
        assert (palette.background, palette.is_dark) == ("default", True)
    assert not make_palette("x", {"main_bg": "", "main_fg": "#22"}).is_dark


def test_muted_text_is_not_inactive_text() -> None:
    """What btop calls `inactive_fg` is for lines: in most themes it cannot be read."""
    palette = make_palette("x", {"inactive_fg": "#111111"})
    assert palette.muted != palette.colors["inactive_fg"]
    assert contrast(rgb(palette.muted), rgb(palette.background)) < contrast(rgb(palette.text), rgb(palette.background))
