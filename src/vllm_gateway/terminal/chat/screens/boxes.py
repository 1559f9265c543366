"""The box in which everything stands that lies on top of the chat."""

from typing import ClassVar, TypeVar

from rich.markup import escape
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widget import Widget

from vllm_gateway.terminal.cleaning import clean

Result = TypeVar("Result")


class Boxed(ModalScreen[Result | None]):
    """A box in the middle; Esc takes it away with nothing done."""

    AUTO_FOCUS = "*"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Close", priority=True)]
    DEFAULT_CSS = """
    Boxed { align: center middle; }
    Boxed > #box {
        width: 76; max-width: 96%; height: auto; max-height: 94%;
        border: round $border; background: $background; padding: 0 1; scrollbar-size-vertical: 1;
        border-title-color: $text-primary; border-subtitle-color: $text-muted;
    }
    Boxed Input { border: none; height: 1; padding: 0; background: $background; }
    Boxed Input:focus { border: none; background: $background; }
    Boxed .says { color: $text-muted; height: auto; }
    """

    @staticmethod
    def entitle(box: Widget, title: str, says: str) -> None:
        """Write above and below a box what it is and which keys count, whatever characters are in that."""
        box.border_title, box.border_subtitle = escape(clean(title)), escape(says)

    def action_leave(self) -> None:
        """Close without a result."""
        self.dismiss(None)
