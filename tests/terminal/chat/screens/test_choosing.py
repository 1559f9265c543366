"""A list in which one searches as one types."""

from textual.app import App

from vllm_gateway.terminal.chat.screens.choosing import Choice, Choosing, ChoosingChat, Chosen, matching, row

FRUITS = [Choice("1", "apples", "3 turns"), Choice("2", "pears", "1 turns"), Choice("3", "plums")]


def test_what_fits_best_comes_first() -> None:
    """Letters may be left out; the detail is searched, too; without a word all stay as they are."""
    assert matching(FRUITS, " ") == FRUITS
    assert [choice.id for choice in matching(FRUITS, "pls")] == ["3", "1"]
    assert [choice.id for choice in matching(FRUITS, "1 turn")] == ["2"]
    assert matching(FRUITS, "zz") == []


def test_a_row_is_one_line_of_the_width() -> None:
    """Long titles are cut, the detail never is, and nothing in it steers the terminal."""
    shown = row(Choice("1", "x\x1b" * 100, "3 turns"), 40)
    assert shown.cell_len == 40
    assert shown.plain.endswith("  3 turns")
    assert "\x1b" not in shown.plain


async def test_keys_move_and_enter_takes() -> None:
    """While one goes on typing; what is marked is told."""
    app = App[None]()
    marked: list[str] = []
    chosen: list[Chosen | None] = []
    async with app.run_test() as pilot:
        app.push_screen(Choosing("Fruit", FRUITS, marked=marked.append), chosen.append)
        await pilot.pause()
        await pilot.press("down", "down", "up", "enter")
        await pilot.pause()
        app.push_screen(Choosing("Fruit", FRUITS), chosen.append)
        await pilot.pause()
        await pilot.press("p", "l", "u", "enter")
        await pilot.pause()
        app.push_screen(Choosing("Fruit", FRUITS), chosen.append)
        await pilot.pause()
        await pilot.press("z", "z", "enter", "escape")
        await pilot.pause()
    assert chosen == [Chosen("open", "2"), Chosen("open", "3"), None]
    assert marked[-3:] == ["2", "3", "2"]


async def test_a_conversation_can_be_more_than_opened() -> None:
    """Each key says what shall be done with the marked one."""
    app = App[None]()
    chosen: list[Chosen | None] = []
    async with app.run_test() as pilot:
        for key in ("f2", "ctrl+d", "f4"):
            app.push_screen(ChoosingChat("Chats", FRUITS), chosen.append)
            await pilot.pause()
            await pilot.press("down", key)
            await pilot.pause()
    assert chosen == [Chosen(what, "2") for what in ("rename", "delete", "export")]
