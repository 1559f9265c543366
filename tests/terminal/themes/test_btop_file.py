"""btop's theme files."""

import pytest

from vllm_gateway.terminal.themes.btop_file import DEFAULTS, FALLBACKS, GRADIENTS, read_setting, read_theme


def test_there_are_48_keys_and_9_gradients() -> None:
    """As many as btop has; what stands in for a missing one is one of them too."""
    assert (len(DEFAULTS), len(GRADIENTS)) == (48, 9)
    assert {*FALLBACKS, *FALLBACKS.values()} <= set(DEFAULTS)


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ('theme[main_fg]="#cc"', {"main_fg": "#cc"}),
        ("theme[main_fg]=#cc", {"main_fg": "#cc"}),
        ("  theme[main_fg] =  10 20 30  ", {"main_fg": "10 20 30"}),
        ('theme[main_bg]=""', {"main_bg": ""}),
        ("theme[main_bg]=", {"main_bg": ""}),
        ('theme[main_fg]="#cc" # a word', {"main_fg": "#cc"}),
        ('#theme[main_fg]="#cc"', {}),
        ('theme[gradient_color_0]="#cc"', {}),
        ('theme[main_fg]="#cc"\r\ntheme[title]="#dd"\r\n', {"main_fg": "#cc", "title": "#dd"}),
        ('theme[main_fg]="#cc"\ntheme[main_fg]="#dd"', {"main_fg": "#dd"}),
        ("nonsense ]=[", {}),
        ("", {}),
    ],
)
def test_lines_are_read_as_btop_reads_them(line: str, read: dict[str, str]) -> None:
    """Comments and unknown keys count for nothing; of two the last counts."""
    assert read_theme(line) == read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('color_theme = "nord"\n', "nord"),
        ('#color_theme = "nord"\n', None),
        ("color_theme = nord\r\n", "nord"),
        ('my_color_theme = "nord"\n', None),
        ('color_theme = "a"\ncolor_theme = "b"\n', "b"),
    ],
)
def test_btops_own_settings_tell_its_theme(text: str, value: str | None) -> None:
    """One line for each; comments begin with a hash."""
    assert read_setting(text, "color_theme") == value
