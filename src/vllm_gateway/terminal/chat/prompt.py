"""Where one writes: grows with the text, and remembers what was sent before."""

from typing import ClassVar

from textual.binding import BindingType
from textual.events import Key
from textual.message import Message
from textual.widgets import TextArea
from typing_extensions import override

from vllm_gateway.terminal.chat.bindings import bindings

_MOST_PROMPTS = 200


class Prompt(TextArea):
    """The text that is being written."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("chat.send", "chat.newline")
    DEFAULT_CSS = """
    Prompt {
        height: auto; min-height: 3; max-height: 12;
        border: round $border-blurred; background: $background; padding: 0 1;
        scrollbar-size-vertical: 1;
    }
    Prompt:focus { border: round $border; }
    Prompt .text-area--placeholder { color: $text-muted; }
    """

    class Finished(Message):
        """It shall be sent as it is now."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - its name in Textual
        super().__init__(
            id=id, soft_wrap=True, highlight_cursor_line=False, tab_behavior="focus", placeholder="Ask something"
        )
        self.border_title = "Message"
        self._sent: list[str] = []
        self._at = 0
        self._kept = ""

    def take(self) -> str:
        """Return what was written, and begin anew."""
        text = self.text
        self._sent = [*self._sent[-_MOST_PROMPTS:], text]
        self._at = len(self._sent)
        self.put("")
        return text

    def put(self, text: str) -> None:
        """Have this text here, with the cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    @override
    async def _on_key(self, event: Key) -> None:
        """Take these two keys in the order in which they come: text that was typed before Enter is sent with it."""
        bound = self.screen.active_bindings.get(event.key)
        action = {"chat.send": self.action_send, "chat.newline": self.action_newline}.get(
            (bound.binding.id or "") if bound is not None else ""
        )
        if action is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        action()

    def action_send(self) -> None:
        """Have it sent."""
        self.post_message(self.Finished())

    def action_newline(self) -> None:
        """Begin a new line at the cursor."""
        self.insert("\n")

    def step(self, by: int) -> None:
        """Show what was sent before, or after that; what was being written comes behind all of it."""
        at = max(0, min(self._at + by, len(self._sent)))
        if at == self._at:
            return
        if self._at == len(self._sent):
            self._kept = self.text
        self._at = at
        self.put(self._kept if at == len(self._sent) else self._sent[at])
