"""An editor for a longer text: the system prompt, or a message that is sent again."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import TextArea
from typing_extensions import override

from vllm_gateway.terminal.chat.screens.boxes import Boxed


class Writing(Boxed[str]):
    """A text that can be changed; an empty one is a result, too."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "take", "Take it", priority=True)]
    DEFAULT_CSS = """
    Writing TextArea { height: 14; max-height: 70vh; border: none; background: $background; padding: 0; }
    Writing TextArea:focus { border: none; }
    """

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    @override
    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(id="box") as box:
            self.entitle(box, self._title, "Ctrl+S takes it · Esc leaves it as it was")
            yield TextArea(self._text, soft_wrap=True, highlight_cursor_line=False, tab_behavior="focus")

    def on_mount(self) -> None:
        """Write on at the end."""
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)

    def action_take(self) -> None:
        """Close with the text as it is now."""
        self.dismiss(self.query_one(TextArea).text.strip())
