"""Puts lines on the screen, and only those that have changed."""

from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import override

from vllm_gateway.terminal.top.ink import Ink, Line, cells


class Canvas(Widget, can_focus=True):
    """Shows lines as they are."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # Here, because the screen takes these keys before the app does.
        Binding("tab", "app.next_box(1)", "the next box", id="top.next-box"),
        Binding("shift+tab", "app.next_box(-1)", "the box before", id="top.box-before"),
    ]

    class Resized(Message):
        """There is more or less room than before."""

    class Touched(Message):
        """Somebody has clicked on a cell, or turned the wheel over it."""

        def __init__(self, x: int, y: int, *, turned: int = 0) -> None:
            self.x, self.y = x, y
            self.turned = turned
            """By how many rows the wheel was turned; 0: it was a click."""
            super().__init__()

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self._ground = ""

    def show(self, lines: list[Line], *, ground: str) -> None:
        """Show these lines from now on, on this background."""
        before, self._lines = self._lines, lines
        is_ground_new, self._ground = ground != self._ground, ground
        if len(before) != len(lines) or is_ground_new:
            self.refresh()
            return
        changed = [Region(0, y, self.size.width, 1) for y, line in enumerate(lines) if line != before[y]]
        if changed:
            self.refresh(*changed)

    @override
    def render_line(self, y: int) -> Strip:
        """Return one line."""
        if y >= len(self._lines):
            return Strip.blank(self.size.width, self.rich_style)
        line = self._lines[y]
        ground = self._ground
        return Strip([Segment(piece.text, style_of(piece.ink, ground)) for piece in line], cells(line))

    def on_resize(self, _: Resize) -> None:
        """Tell that there is another room to fill."""
        self.post_message(self.Resized())

    def on_click(self, event: Click) -> None:
        """Tell where."""
        self.post_message(self.Touched(event.x, event.y))

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Tell where."""
        self.post_message(self.Touched(event.x, event.y, turned=1))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Tell where."""
        self.post_message(self.Touched(event.x, event.y, turned=-1))


@lru_cache(maxsize=4096)
def style_of(ink: Ink, ground: str) -> Style:
    """Return an ink in Rich's words; without a ground of its own it lies on what is behind everything."""
    return Style(color=ink.color, bgcolor=ink.ground or ground, bold=ink.is_bold or None)
