"""How the model shall answer."""

from textual.app import App
from textual.widgets import Label

from vllm_gateway.terminal.chat.screens.parameters import ParametersPanel
from vllm_gateway.terminal.parameters import Parameters


async def test_parameters_are_typed_line_by_line() -> None:
    """A mistake is told and nothing is taken; an empty line leaves it to the server."""
    app = App[None]()
    taken: list[Parameters | None] = []
    async with app.run_test() as pilot:
        app.push_screen(ParametersPanel(Parameters(seed=7)), taken.append)
        await pilot.pause()
        await pilot.press("9", "enter")
        await pilot.pause()
        told = str(app.screen.query_one("#mistake", Label).render())
        await pilot.press("backspace", "1", "down", "0", ".", "5", "enter")
        await pilot.pause()
    assert told == "temperature is a number from 0 to 2, not '9'."
    assert taken == [Parameters(temperature=1.0, top_p=0.5, seed=7)]
