"""The list of themes."""

from pathlib import Path

from textual.app import App
from textual.widgets import OptionList

from tests.terminal.themes.test_places import places, write
from vllm_gateway.terminal.themes.chooser import ThemeChooser
from vllm_gateway.terminal.themes.loading import Themes
from vllm_gateway.terminal.themes.wearing import Wardrobe


async def test_what_is_marked_is_worn_until_it_is_left(tmp_path: Path) -> None:
    """Escape brings back what was worn before; enter returns the name that was chosen."""
    app, chosen = App[None](), list[str | None]()
    wardrobe = Wardrobe(app, "harbour", themes=Themes(places(tmp_path)))
    async with app.run_test() as pilot:
        wardrobe.dress()
        await app.push_screen(ThemeChooser(wardrobe), chosen.append)
        await pilot.press("down", "down")
        assert wardrobe.palette.name == "signal"
        await pilot.press("escape")
        await app.push_screen(ThemeChooser(wardrobe), chosen.append)
        assert wardrobe.palette.name == "harbour"
        await pilot.press("up", "enter")
        assert (chosen, wardrobe.palette.name) == ([None, "ember"], "ember")


async def test_a_theme_that_is_a_file_stands_in_the_list_too(tmp_path: Path) -> None:
    """So that one comes back to it."""
    path = write(tmp_path / "mine.theme")
    app = App[None]()
    wardrobe = Wardrobe(app, str(path), themes=Themes(places(tmp_path)))
    async with app.run_test() as pilot:
        wardrobe.dress()
        await app.push_screen(ThemeChooser(wardrobe))
        await pilot.pause()
        names = app.screen.query_one(OptionList)
        assert (names.highlighted, str(names.get_option_at_index(0).prompt)) == (0, str(path))
