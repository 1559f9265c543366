"""A question to the person: a line of text, or yes or no."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Label
from typing_extensions import override

from vllm_gateway.terminal.chat.screens.boxes import Boxed


class Line(Boxed[str]):
    """Asks for a line of text."""

    def __init__(self, title: str, value: str = "", *, says: str = "Enter takes it") -> None:
        super().__init__()
        self._title = title
        self._value = value
        self._says = says

    @override
    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(id="box") as box:
            self.entitle(box, self._title, f"{self._says} · Esc closes")
            yield Input(self._value, select_on_focus=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was typed; nothing is no answer."""
        if event.value.strip():
            self.dismiss(event.value.strip())


class Sure(Boxed[bool]):
    """Asks whether something that cannot be undone shall be done."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "yes", "Yes"), Binding("n", "leave", "No")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    @override
    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(id="box") as box:
            self.entitle(box, "Sure?", "y yes · n no")
            yield Label(self._question, markup=False)

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(result=True)
