"""Where one writes."""

from textual.app import App, ComposeResult
from typing_extensions import override

from vllm_gateway.terminal.chat.prompt import Prompt


class Writing(App[None]):
    """A prompt alone."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    @override
    def compose(self) -> ComposeResult:
        yield Prompt()

    def on_prompt_finished(self) -> None:
        """Note what is sent."""
        self.sent.append(self.query_one(Prompt).take())


async def test_enter_sends_what_was_typed_before_it() -> None:
    """However quickly the keys come; other keys begin a new line."""
    app = Writing()
    async with app.run_test() as pilot:
        await pilot.press("a", "b", "ctrl+j", "c", "enter", "d", "shift+enter")
        assert app.sent == ["ab\nc"]
        assert app.query_one(Prompt).text == "d\n"


async def test_what_was_sent_comes_back() -> None:
    """Step by step to the first, and forward again to what was being written."""
    app = Writing()
    async with app.run_test() as pilot:
        await pilot.press("1", "enter", "2", "enter", "3")
        prompt = app.query_one(Prompt)
        seen = []
        for by in (-1, -1, -1, 1, 1, 1):
            prompt.step(by)
            seen.append(prompt.text)
        assert seen == ["2", "1", "1", "2", "3", "3"]


async def test_it_grows_with_the_text_up_to_a_bound() -> None:
    """A long text scrolls inside of it."""
    app = Writing()
    async with app.run_test(size=(40, 30)) as pilot:
        prompt = app.query_one(Prompt)
        heights = []
        for lines in (1, 4, 40):
            prompt.put("\n".join("x" * lines))
            await pilot.pause()
            heights.append(prompt.size.height)
        assert heights[0] < heights[1] < heights[2] <= 12


async def test_a_key_of_the_users_own_sends() -> None:
    """Then Enter is a new line."""
    app = Writing()
    async with app.run_test() as pilot:
        app.set_keymap({"chat.send": "ctrl+x", "chat.newline": "enter"})
        await pilot.press("a", "enter", "b", "ctrl+x")
        assert app.sent == ["a\nb"]
