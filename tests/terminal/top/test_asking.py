"""Questions over the screen."""

import pytest
from textual.app import App
from textual.binding import Binding
from textual.widgets import Static

from vllm_gateway.terminal.top.app import Top
from vllm_gateway.terminal.top.asking import Confirm, Help


@pytest.mark.parametrize(("key", "answer"), [("y", True), ("enter", True), ("n", False), ("escape", False)])
async def test_a_question_waits_for_its_answer(key: str, *, answer: bool) -> None:
    """Other keys are none; what is asked is shown as it is written."""
    app, answers = App[None](), list[bool | None]()
    async with app.run_test() as pilot:
        await app.push_screen(Confirm("drain", "Drain [b]one[/b]?"), answers.append)
        await pilot.press("d", "5")
        assert answers == []
        assert str(app.screen.query(Static).first().render()) == "Drain [b]one[/b]?"
        await pilot.press(key)
        assert answers == [answer]


async def test_the_help_names_every_key() -> None:
    """Whoever adds one tells of it there."""
    app = App[None]()
    async with app.run_test() as pilot:
        await app.push_screen(Help())
        await pilot.pause()
        said = str(app.screen.query_one(Static).render())
        told = {word for line in said.splitlines() for word in line[:14].replace(",", " ").split()}
        named = {"slash": "/", "plus": "+", "minus": "-", "escape": "esc", "question_mark": "q", "1": "1", "tab": "tab"}
        bindings = [binding.key.split(",")[0] for binding in Top.BINDINGS if isinstance(binding, Binding)]
        for key in bindings:
            if key not in {"2", "3", "4", "5", "pageup", "pagedown", "home", "end", "escape"}:
                assert named.get(key, key) in told, key
        await pilot.press("escape")
        assert len(app.screen_stack) == 1
