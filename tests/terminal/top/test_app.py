"""`top` on the screen."""

import os
import signal
from pathlib import Path

import pytest

from tests.terminal.snapshots import check_snapshot
from tests.terminal.themes.test_palette import CHOSEN
from tests.terminal.themes.test_places import places, write
from tests.terminal.top.fleet import Still, history, picture, shown
from tests.waiting import until
from vllm_gateway.terminal.themes import Themes
from vllm_gateway.terminal.top.app import Top
from vllm_gateway.terminal.top.canvas import Canvas
from vllm_gateway.terminal.top.glyphs import ASCII
from vllm_gateway.terminal.top.ink import plain

KEPT = Path(__file__).parent / "screens"


def screen(app: Top) -> str:
    """Return what stands on the screen, without its colours."""
    return "\n".join(plain(line) for line in app.screen_stack[0].query_one(Canvas)._lines)


@pytest.mark.parametrize("theme", [*CHOSEN, "terminal"])
async def test_every_theme_looks_as_it_did(theme: str) -> None:
    """The whole screen, in a terminal of 100 columns."""
    async with shown(Still(picture()), before=history(picture()), theme=theme) as (app, _):
        check_snapshot(KEPT / f"theme-{theme}.svg", app.export_screenshot(title="top"))


@pytest.mark.parametrize("preset", [2, 3, 4, 5])
async def test_every_preset_looks_as_it_did(preset: int) -> None:
    """The number is the key that picks it."""
    async with shown(Still(picture()), before=history(picture())) as (app, pilot):
        await pilot.press(str(preset))
        check_snapshot(KEPT / f"preset-{preset}.svg", app.export_screenshot(title="top"))


@pytest.mark.parametrize(("name", "size"), [("small", (80, 24)), ("wide", (180, 45)), ("tiny", (30, 8))])
async def test_every_size_is_filled(name: str, size: tuple[int, int]) -> None:
    """What there is no room for is left out."""
    async with shown(Still(picture(20)), size=size, before=history(picture(20))) as (app, _):
        lines = screen(app).splitlines()
        assert [len(line) for line in lines] == [size[0]] * size[1]
        check_snapshot(KEPT / f"size-{name}.svg", app.export_screenshot(title="top"))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("help", ["question_mark"]),
        ("drain", ["d"]),
        ("themes", ["t"]),
        ("filter", ["slash", "t", "i", "n", "y", "-", "2"]),
    ],
)
async def test_every_question_looks_as_it_did(name: str, keys: list[str]) -> None:
    """What lies over the screen until it is answered."""
    async with shown(Still(picture()), before=history(picture())) as (app, pilot):
        await pilot.press(*keys)
        await pilot.pause()
        check_snapshot(KEPT / f"over-{name}.svg", app.export_screenshot(title="top"))


async def test_a_gateway_that_is_away_is_told_and_asked_again() -> None:
    """Why there is no picture stands in the first line; the last picture stays; then it goes on."""
    feed = Still("No gateway answers at http://127.0.0.1:8081.")
    async with shown(feed, every_s=0.01) as (app, pilot):
        assert "No gateway answers" in screen(app)
        assert "replicas" not in screen(app)
        check_snapshot(KEPT / "away.svg", app.export_screenshot(title="top"))
        feed.told = picture()
        await until(lambda: "tiny-1" in screen(app))
        assert "No gateway answers" not in screen(app)
        feed.told = "No gateway answers."
        await until(lambda: "No gateway answers" in screen(app))
        assert "tiny-1" in screen(app)
        await pilot.pause()


async def test_a_terminal_without_unicode_gets_plain_characters() -> None:
    """And nothing else."""
    async with shown(Still(picture()), glyphs=ASCII, before=history(picture())) as (app, pilot):
        for preset in "12345":
            await pilot.press(preset)
            assert screen(app).isascii()
        check_snapshot(KEPT / "ascii.svg", app.export_screenshot(title="top"))


async def test_standing_still_asks_nothing() -> None:
    """Going on asks at once."""
    feed = Still(picture())
    async with shown(feed) as (app, pilot):
        await pilot.press("space")
        assert "PAUSED" in screen(app)
        looks = feed.looks
        app._look_soon()
        await app.workers.wait_for_complete()
        assert feed.looks == looks
        await pilot.press("space")
        await app.workers.wait_for_complete()
        assert feed.looks == looks + 1
        assert "PAUSED" not in screen(app)


async def test_rows_are_filtered_while_words_are_typed() -> None:
    """Enter keeps them, escape shows all again."""
    async with shown(Still(picture())) as (app, pilot):
        await pilot.press("slash", *"TINY-2")
        assert "tiny-1 " not in screen(app)
        await pilot.press("enter", "s")
        assert "/TINY-2" in screen(app)
        await pilot.press("escape")
        assert "tiny-1 " in screen(app)
        await pilot.press("slash", *"xyz", "enter")
        assert "Nothing matches 'xyz'." in screen(app)


async def test_the_box_in_focus_is_sorted_and_walked_through() -> None:
    """Another column with each key; the marked row is followed where it goes."""
    async with shown(Still(picture())) as (app, pilot):
        assert "replica▼" in screen(app)
        await pilot.press("down", "down", "s")
        assert "state▼" in screen(app)
        marked = app._scene().marked("replicas")
        assert marked.name == "tiny-3"
        await pilot.press("i")
        assert "state▲" in screen(app)
        assert app._scene().marked("replicas").name == "tiny-3"
        await pilot.press("tab", "end")
        assert app._scene().marked("requests").id == "request-0"
        await pilot.press("shift+tab", "home")
        assert app._scene().rows("replicas")[0] == app._scene().marked("replicas")


async def test_a_preset_without_the_box_in_focus_moves_the_focus() -> None:
    """`p` goes from one to the next, and round."""
    async with shown(Still(picture())) as (app, pilot):
        await pilot.press("3")
        assert app._view.focus == "requests"
        await pilot.press("p", "p", "p")
        assert app._status.preset == 1


async def test_the_mouse_marks_a_row() -> None:
    """A click marks, the wheel goes on from there; beside the rows nothing happens."""
    async with shown(Still(picture())) as (app, pilot):
        await pilot.click(Canvas, offset=(5, 5))
        assert app._scene().marked("replicas").name == "tiny-3"
        await pilot.click(Canvas, offset=(5, 1))
        assert app._scene().marked("replicas").name == "tiny-3"
        canvas = app.query_one(Canvas)
        canvas.post_message(Canvas.Touched(5, 5, turned=1))
        await pilot.pause()
        assert app._scene().marked("replicas").name == "tiny-4"
        requests = next(each for each in app._places() if each.box == "requests")
        await pilot.click(Canvas, offset=(5, requests.y + 1 + 2))
        assert (app._view.focus, app._scene().marked("requests").id) == ("requests", "request-8")


async def test_looking_more_or_less_often_stays_within_bounds() -> None:
    """From twice a second to every ten seconds."""
    async with shown(Still(picture()), every_s=1.0) as (app, pilot):
        await pilot.press("plus", "plus", "plus")
        assert app._status.every_s == 0.5
        await pilot.press(*["minus"] * 9)
        assert app._status.every_s == 10


async def test_orders_need_a_marked_row() -> None:
    """A replica to drain, a request to stop; otherwise it is said how to get at one."""
    async with shown(Still(picture())) as (app, pilot):
        await pilot.press("x")
        assert [note.message for note in app._notifications] == ["Mark a request first: tab goes to the requests."]
        await pilot.press("tab", "d", "r")
        assert len(app.screen_stack) == 1


async def test_a_theme_is_worn_while_it_is_chosen(tmp_path: Path) -> None:
    """Escape goes back to the one before, enter keeps the new one."""
    async with shown(Still(picture()), themes=Themes(places(tmp_path))) as (app, pilot):
        await pilot.press("t", "down")
        await until(lambda: app._wardrobe.palette.name == "moss")
        await pilot.press("escape")
        await until(lambda: app._wardrobe.palette.name == "harbour")
        await pilot.press("t", "down", "enter")
        await until(lambda: app._wardrobe.name == "moss")
        assert len(app.screen_stack) == 1


async def test_a_theme_file_that_changes_is_worn_at_once(tmp_path: Path) -> None:
    """By itself, and by SIGUSR2; while the file is away, the colours stay."""
    mine = write(tmp_path / "config/vllm-gateway/themes/mine.theme", 'theme[title]="#111111"')
    async with shown(Still(picture()), themes=Themes(places(tmp_path)), theme="mine") as (app, pilot):
        write(mine, 'theme[title]="#abcdef"\n')
        app._wardrobe.look()
        await pilot.pause()
        assert app._wardrobe.palette.title == "#abcdef"
        write(mine, 'theme[title]="#fedcba"\n')
        os.kill(os.getpid(), signal.SIGUSR2)
        await until(lambda: app._wardrobe.palette.title == "#fedcba")
        mine.unlink()
        app._wardrobe.look()
        assert app._wardrobe.palette.title == "#fedcba"
