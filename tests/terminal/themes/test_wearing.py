"""An app wears a theme."""

from pathlib import Path

import pytest
from textual.app import App

from tests.terminal.themes.test_places import places, write
from vllm_gateway.terminal.themes.loading import Themes, ThemeUnknown
from vllm_gateway.terminal.themes.palette import Palette
from vllm_gateway.terminal.themes.wearing import Wardrobe


async def test_the_app_wears_what_is_chosen(tmp_path: Path) -> None:
    """Whoever draws by themselves is told of every change."""
    app, worn = App[None](), list[Palette]()
    wardrobe = Wardrobe(app, "harbour", themes=Themes(places(tmp_path)), worn=worn.append)
    async with app.run_test():
        wardrobe.dress()
        assert app.current_theme.background == wardrobe.palette.background
        wardrobe.wear("daylight")
        assert (app.current_theme.dark, wardrobe.name) == (False, "daylight")
        assert [palette.name for palette in worn] == ["harbour", "daylight"]


async def test_a_theme_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    """Neither from the beginning nor later."""
    app = App[None]()
    with pytest.raises(ThemeUnknown):
        Wardrobe(app, "nope", themes=Themes(places(tmp_path)))
    wardrobe = Wardrobe(app, "harbour", themes=Themes(places(tmp_path)))
    async with app.run_test():
        wardrobe.dress()
        with pytest.raises(ThemeUnknown):
            wardrobe.wear("nope")
        assert wardrobe.name == wardrobe.palette.name == "harbour"


async def test_a_desktop_that_changes_its_theme_is_followed(tmp_path: Path) -> None:
    """It replaces a whole folder; what has not changed is not put on again."""
    app, worn = App[None](), list[Palette]()
    desktops = tmp_path / "state/omarchy/current/theme"
    write(desktops / "btop.theme", 'theme[title]="#111111"')
    wardrobe = Wardrobe(app, "system", themes=Themes(places(tmp_path)), worn=worn.append)
    async with app.run_test():
        wardrobe.dress()
        wardrobe.look()
        wardrobe.read_again()
        assert len(worn) == 1
        desktops.rename(tmp_path / "old")
        write(desktops / "btop.theme", 'theme[title]="#eeeeee"')
        wardrobe.look()
        assert [palette.colors["title"] for palette in worn] == ["#111111", "#eeeeee"]
        assert app.theme.startswith("vllm-gateway system")


def test_backgrounds_may_be_left_out(tmp_path: Path) -> None:
    """Whatever the theme has."""
    wardrobe = Wardrobe(App[None](), "harbour", themes=Themes(places(tmp_path)), has_background=False)
    assert wardrobe.palette.background == "default"
