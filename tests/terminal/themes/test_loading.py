"""Themes by name."""

from pathlib import Path

import pytest

from tests.terminal.themes.test_places import places, write
from vllm_gateway.terminal.themes.loading import SYSTEM, USUAL, Themes, ThemeUnknown


def test_all_that_can_be_chosen_is_named_once(tmp_path: Path) -> None:
    """What follows the surroundings first, at least four of our own, then what was found; no name twice."""
    write(tmp_path / "share/nord.theme")
    write(tmp_path / f"config/btop/themes/{USUAL}.theme")
    names = Themes(places(tmp_path)).names()
    assert names[:2] == ["system", "terminal"]
    assert names[-1] == "nord"
    assert len(names) == len(set(names)) >= 2 + 4 + 2


def test_every_name_can_be_loaded(tmp_path: Path) -> None:
    """And is the name of what is loaded."""
    themes = Themes(places(tmp_path))
    assert [themes.load(name).name for name in themes.names()] == themes.names()


def test_the_users_file_comes_before_ours(tmp_path: Path) -> None:
    """So that one of ours can be changed without another name."""
    write(tmp_path / f"config/vllm-gateway/themes/{USUAL}.theme", 'theme[title]="#abcdef"')
    assert Themes(places(tmp_path)).load(USUAL).colors["title"] == "#abcdef"


def test_the_systems_theme_is_the_desktops(tmp_path: Path) -> None:
    """Where there is one; keys that only the desktop knows do not matter."""
    themes = Themes(places(tmp_path))
    assert themes.load(SYSTEM).colors == themes.load(USUAL).colors
    text = 'theme[main_fg]="#abcdef"\ntheme[gradient_color_0]="#123456"'
    desktops = write(tmp_path / "state/omarchy/current/theme/btop.theme", text)
    assert (themes.load(SYSTEM).colors["main_fg"], themes.load(SYSTEM).name) == ("#abcdef", SYSTEM)
    assert desktops in themes.watched(SYSTEM)


@pytest.mark.parametrize(
    ("said", "worn", "background"),
    [
        ('color_theme = "nord"\n', "#abcdef", "#101010"),
        ('color_theme = "nord"\ntheme_background = false\n', "#abcdef", "default"),
        ('color_theme = "TTY"\n', "default", "default"),
        ('color_theme = "gone"\n', None, None),
        ('color_theme = "system"\n', None, None),
    ],
)
def test_the_systems_theme_may_be_btops(tmp_path: Path, said: str, worn: str | None, background: str | None) -> None:
    """By its own settings; one that is not there any more is replaced by the usual one."""
    where = places(tmp_path)
    write(where.btop_settings, said)
    write(tmp_path / "share/nord.theme", 'theme[main_fg]="#abcdef"\ntheme[main_bg]="#101010"')
    themes = Themes(where)
    usual = themes.load(USUAL)
    palette = themes.load(SYSTEM)
    assert palette.colors["main_fg"] == (worn or usual.colors["main_fg"])
    assert palette.background == (background or usual.background)


def test_a_theme_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    """Or with all that there are."""
    themes = Themes(places(tmp_path))
    with pytest.raises(ThemeUnknown, match=f"'harbor'; did you mean {USUAL}"):
        themes.load("harbor")
    with pytest.raises(ThemeUnknown, match="there are: system, terminal"):
        themes.load("qqqqqqqq")
    with pytest.raises(ThemeUnknown):
        themes.load("../harbour")


def test_what_is_watched_is_what_is_read(tmp_path: Path) -> None:
    """The file of a theme; for the system's, all places where one may appear."""
    own = write(tmp_path / "config/vllm-gateway/themes/mine.theme")
    nord = write(tmp_path / "share/nord.theme")
    where = places(tmp_path)
    write(where.btop_settings, 'color_theme = "nord"\n')
    themes = Themes(where)
    assert themes.watched("mine") == [own]
    assert themes.watched("terminal") == []
    assert themes.watched(SYSTEM) == [*where.desktop_themes, where.btop_settings, nord]
