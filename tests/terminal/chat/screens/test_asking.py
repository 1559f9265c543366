"""Questions to the person."""

from textual.app import App

from vllm_gateway.terminal.chat.screens.asking import Line, Sure


async def test_a_line_is_edited_and_taken() -> None:
    """Nothing is no answer, and Esc is none either."""
    app = App[None]()
    taken: list[str | None] = []
    async with app.run_test() as pilot:
        for keys in (("!", "enter"), ("backspace", "enter", "escape")):
            app.push_screen(Line("Name", "x"), taken.append)
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
    assert taken == ["x!", None]


async def test_only_yes_is_yes() -> None:
    """No and Esc do nothing."""
    app = App[None]()
    taken: list[bool | None] = []
    async with app.run_test() as pilot:
        for key in ("y", "n", "escape"):
            app.push_screen(Sure("Delete '[b]x'?"), taken.append)
            await pilot.pause()
            await pilot.press(key)
            await pilot.pause()
    assert taken == [True, None, None]
