"""The box on top of the chat."""

from textual.app import App, ComposeResult
from textual.containers import Vertical
from typing_extensions import override

from vllm_gateway.terminal.chat.screens.boxes import Boxed


class Plain(Boxed[str]):
    """A box with a title that looks like markup."""

    @override
    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            self.entitle(box, "[red]x[/]\x1b", "[keys]")
            yield from ()


async def test_titles_are_shown_as_they_are_and_esc_closes() -> None:
    """Nothing in them is markup, and nothing steers the terminal."""
    app = App[None]()
    taken: list[str | None] = []
    async with app.run_test() as pilot:
        app.push_screen(Plain(), taken.append)
        await pilot.pause()
        screen = app.export_screenshot().replace("&#160;", " ")
        await pilot.press("escape")
        await pilot.pause()
    assert "[red]x[/]\ufffd" in screen
    assert "[keys]" in screen
    assert taken == [None]
