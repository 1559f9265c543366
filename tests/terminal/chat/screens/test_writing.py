"""An editor for a longer text."""

from textual.app import App

from vllm_gateway.terminal.chat.screens.writing import Writing


async def test_a_text_is_written_on_at_its_end() -> None:
    """Lines and all; an empty one is a result, and Esc is none."""
    app = App[None]()
    taken: list[str | None] = []
    async with app.run_test() as pilot:
        for text, keys in (("a", ("enter", "b", "ctrl+s")), ("a", ("backspace", "ctrl+s")), ("a", ("b", "escape"))):
            app.push_screen(Writing("System prompt", text), taken.append)
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
    assert taken == ["a\nb", "", None]
