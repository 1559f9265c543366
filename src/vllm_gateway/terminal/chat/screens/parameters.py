"""How the model shall answer."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label
from typing_extensions import override

from vllm_gateway.terminal.chat.screens.boxes import Boxed
from vllm_gateway.terminal.parameters import BOUNDS, Parameters


class ParametersPanel(Boxed[Parameters]):
    """A line for each parameter; an empty one leaves it to the server."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take them", priority=True),
        Binding("down", "app.focus_next", show=False, priority=True),
        Binding("up", "app.focus_previous", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    ParametersPanel Horizontal { height: 1; }
    ParametersPanel .name { width: 14; color: $text-primary; }
    ParametersPanel Input { width: 16; }
    ParametersPanel .bounds { color: $text-muted; }
    ParametersPanel #mistake { color: $text-error; height: auto; }
    """

    def __init__(self, parameters: Parameters) -> None:
        super().__init__()
        self._parameters = parameters

    @override
    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(id="box") as box:
            self.entitle(box, "Parameters", "Enter takes them · Esc closes")
            said = self._parameters.body()
            for name, bounds in BOUNDS.items():
                with Horizontal():
                    yield Label(name, classes="name")
                    yield Input(str(said.get(name, "")), id=name, placeholder="the server's")
                    yield Label(f"{bounds.low:g} to {bounds.high:,.10g}", classes="bounds")
            yield Label("", id="mistake")

    def action_take(self) -> None:
        """Close with them, unless one cannot be."""
        try:
            parameters = Parameters.read({name: self.query_one(f"#{name}", Input).value for name in BOUNDS})
        except ValueError as mistake:
            self.query_one("#mistake", Label).update(str(mistake))
            return
        self.dismiss(parameters)
