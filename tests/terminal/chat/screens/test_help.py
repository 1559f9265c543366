"""Every key, and what it does."""

from textual.app import App

from vllm_gateway.terminal.chat.screens.help import Help, shown
from vllm_gateway.terminal.keys import CHAT


def test_keys_are_written_as_they_stand_on_a_keyboard() -> None:
    """Several with a word between them; single letters as they are typed."""
    assert shown("shift+enter,ctrl+j") == "Shift+Enter or Ctrl+J"
    assert [shown(key) for key in ("f1", "escape", "y", "Y", "alt+home")] == ["F1", "Esc", "y", "Y", "Alt+Home"]


async def test_every_key_is_there_as_it_is_now() -> None:
    """What counts where one is comes first."""
    app = App[None]()
    async with app.run_test(size=(100, 80)) as pilot:
        app.push_screen(Help({"chat.send": "ctrl+x"}, first=("On a message",)))
        await pilot.pause()
        screen = app.export_screenshot().replace("&#160;", " ")
    for key in CHAT:
        assert key.id in screen
    assert "Ctrl+X" in screen
    assert screen.index("block.copy") < screen.index("chat.send")
