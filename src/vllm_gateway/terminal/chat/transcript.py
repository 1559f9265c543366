"""The conversation on the screen: ten thousand lines that scroll like ten.

Lines are made once, the last ones first; those above follow in slices, so that nobody waits for what is not looked at.
"""

from bisect import bisect_right
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Key, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from typing_extensions import override

from vllm_gateway.clock import SystemClock
from vllm_gateway.terminal.chat.bindings import bindings
from vllm_gateway.terminal.chat.words.entry import Entry, Layout
from vllm_gateway.terminal.chat.words.look import Look

_SLICE_S = 0.015
"""How long making older lines may hold up everything else at once."""
_PAUSE_S = 0.02
_AHEAD = 3
"""So many screens are made before anything is shown."""


class Transcript(ScrollView, can_focus=True):
    """All entries of a conversation, one of which may be chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("block.copy", "block.copy-code", "block.edit", "block.branch", "block.fold"),
        Binding("up", "scroll_up", show=False),
        Binding("down", "scroll_down", show=False),
        Binding("home", "scroll_home", show=False),
        Binding("end", "scroll_end", show=False),
    ]
    DEFAULT_CSS = """
    Transcript {
        height: 1fr; background: $background; overflow-x: hidden; overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    class Asked(Message):
        """Something shall be done with an entry."""

        def __init__(self, what: str, entry: Entry) -> None:
            super().__init__()
            self.what = what
            self.entry = entry

    class Typed(Message):
        """Somebody began to write while this had the focus."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, look: Look, *, id: str | None = None) -> None:  # noqa: A002 - its name in Textual
        super().__init__(id=id)
        self.entries: list[Entry] = []
        self.chosen: Entry | None = None
        self._look = look
        self._layouts: dict[Entry, Layout] = {}
        self._lines: dict[Entry, list[Strip]] = {}
        self._first = 0
        """The first entry whose lines are made; all behind it have theirs."""
        self._starts: list[int] = []
        """Where the entries from there on begin."""
        self._needle = ""
        self._found: int | None = None
        """The line on which what is looked for was found last."""
        self._follows = True
        """The end is looked at, and stays in view as it moves."""

    # What is shown

    def show(self, entries: list[Entry]) -> None:
        """Show a conversation from its end."""
        self.entries = list(entries)
        self.chosen = None
        self._follows = True
        self._remake()

    def add(self, *entries: Entry) -> None:
        """Show more at the end, and go there."""
        self.entries += entries
        for entry in entries:
            self._make(entry)
        self._follows = True
        self._place()

    def drop(self, *entries: Entry) -> None:
        """Show some no longer."""
        kept = [entry for entry in self.entries if entry not in entries]
        before = sum(entry in entries for entry in self.entries[: self._first])
        self.entries, self._first = kept, self._first - before
        for entry in entries:
            self._layouts.pop(entry, None)
            self._lines.pop(entry, None)
        if self.chosen in entries:
            self.chosen = None
        self._place()

    def changed(self, entry: Entry) -> None:
        """Show an entry as it is now; who is at the end stays there."""
        if entry not in self._lines:
            return
        self._make(entry)
        self._place()

    def wear(self, look: Look) -> None:
        """Show everything in other colours."""
        self._look = look
        self._remake()

    # Choosing

    def choose(self, entry: Entry | None) -> None:
        """Choose an entry, and bring it into view."""
        self.chosen = entry
        self.refresh()
        if entry is None:
            return
        while entry not in self._lines and self._first:
            self._make_older()
        self._place()
        top = self._starts[self.entries.index(entry) - self._first]
        height = min(len(self._lines[entry]), self.size.height)
        self.scroll_to_region(Region(0, top, 1, height), animate=False, immediate=True, force=True, top=False)

    def step(self, by: int) -> None:
        """Choose the entry before or after the chosen one; the last one first."""
        if not self.entries:
            return
        place = (len(self.entries) if self.chosen is None else self.entries.index(self.chosen)) + by
        self.choose(self.entries[max(0, min(place, len(self.entries) - 1))])

    def find(self, needle: str, *, backwards: bool = True) -> bool:
        """Go to the next line that has `needle` in it, and mark all that do; say whether there is one."""
        if self._needle != needle.casefold():
            self._needle, self._found = needle.casefold(), None
        self.refresh()
        if not self._needle:
            return False
        while self._first:
            self._make_older()
        self._place()
        total = int(self.virtual_size.height)
        here = total if self._found is None else self._found
        order = range(here - 1, here - 1 - total, -1) if backwards else range(here + 1, here + 1 + total)
        for line in (each % total for each in order if total):
            if self._needle in self._strip(line).text.casefold():
                self._found = line
                self.scroll_to(y=line - self.size.height // 2, animate=False, immediate=True, force=True)
                return True
        return False

    # Making lines

    def _remake(self) -> None:
        from_end = self.virtual_size.height - self.scroll_y
        self._layouts.clear()
        self._lines.clear()
        self._first = len(self.entries)
        wanted = max(self.size.height, 1) * _AHEAD + (0 if self._follows else from_end)
        made = 0
        while self._first and made < wanted:
            made += self._make_older()
        self._place()
        if not self._follows:
            self.scroll_to(y=self.virtual_size.height - from_end, animate=False, immediate=True, force=True)
        if self._first:
            self.set_timer(_PAUSE_S, self._make_some)

    def _make_some(self) -> None:
        """Make older lines for a moment, without moving what is looked at."""
        until = SystemClock.now() + _SLICE_S
        added = 0
        while self._first and SystemClock.now() < until:
            added += self._make_older()
        if added:
            self._place()
            if not self._follows:
                self.scroll_to(y=self.scroll_y + added, animate=False, immediate=True, force=True)
        if self._first:
            self.set_timer(_PAUSE_S, self._make_some)

    def _make_older(self) -> int:
        self._first -= 1
        return self._make(self.entries[self._first])

    def _make(self, entry: Entry) -> int:
        layout = self._layouts.get(entry)
        if layout is None:
            layout = self._layouts[entry] = Layout(entry, self._look, self._columns)
        self._lines[entry] = lines = layout.lines()
        return len(lines)

    @property
    def _columns(self) -> int:
        return max(self.scrollable_content_region.width, 20)

    def _place(self) -> None:
        self._starts = []
        at = 0
        for entry in self.entries[self._first :]:
            self._starts.append(at)
            at += len(self._lines[entry])
        self.virtual_size = Size(self._columns, at)
        self.refresh()
        if self._follows:
            self.scroll_end(animate=False, immediate=True, force=True)

    # What Textual asks

    def on_resize(self, event: Resize) -> None:
        """Lay everything out anew when the width is another."""
        is_new = event.size.width > 0 and not self._lines
        if is_new or any(layout.width != self._columns for layout in self._layouts.values()):
            self._remake()
        elif self._follows:
            self.scroll_end(animate=False, immediate=True, force=True)

    @override
    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._follows = new_value >= self.max_scroll_y

    @override
    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line = int(self.scroll_y) + y
        base = self.rich_style
        if line >= self.virtual_size.height:
            return Strip.blank(width, base)
        strip = self._marked(self._strip(line), line)
        return strip.crop_extend(0, width, base).apply_style(base).apply_offsets(0, line)

    def _strip(self, line: int) -> Strip:
        place = bisect_right(self._starts, line) - 1
        entry = self.entries[self._first + place]
        strip = self._lines[entry][line - self._starts[place]]
        if entry is self.chosen and strip.cell_length:
            strip = Strip([Segment("┃ ", self._look.hot), *strip.crop(2)])
        return strip

    def _marked(self, strip: Strip, line: int) -> Strip:
        """Return a line with what is selected, or was looked for, to be seen."""
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(line)) is not None:
            start, end = span
            style = self.screen.get_component_rich_style("screen--selection")
            return _styled(strip, start, strip.cell_length if end == -1 else end, style)
        if self._needle and (at := strip.text.casefold().find(self._needle)) >= 0:
            start = Segment.get_line_length([Segment(strip.text[:at])])
            length = Segment.get_line_length([Segment(strip.text[at : at + len(self._needle)])])
            return _styled(strip, start, start + length, self._look.found)
        return strip

    @override
    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        lines = [self._strip(line).text.rstrip() for line in range(int(self.virtual_size.height))]
        return selection.extract("\n".join(lines)), "\n"

    @override
    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def on_click(self, event: Click) -> None:
        """Choose what is clicked; a click on folded thoughts unfolds them."""
        line = int(self.scroll_y) + event.y
        if line >= self.virtual_size.height or self.text_selection is not None:
            return
        place = bisect_right(self._starts, line) - 1
        entry = self.entries[self._first + place]
        self.chosen = entry
        self.refresh()
        if entry.thinking and line - self._starts[place] == 1:
            self.post_message(self.Asked("fold", entry))

    def on_key(self, event: Key) -> None:
        """Let whoever begins to write do so, wherever the focus is."""
        text = event.character
        if text and event.is_printable and event.key not in self.screen.active_bindings:
            event.stop()
            self.post_message(self.Typed(text))

    def action_copy(self) -> None:
        """Copy the chosen message."""
        self._ask("copy")

    def action_copy_code(self) -> None:
        """Copy its code."""
        self._ask("copy_code")

    def action_edit(self) -> None:
        """Edit and ask again."""
        self._ask("edit")

    def action_branch(self) -> None:
        """Branch off behind it."""
        self._ask("branch")

    def action_fold(self) -> None:
        """Fold or unfold its thoughts."""
        self._ask("fold")

    def _ask(self, what: str) -> None:
        if self.chosen is not None:
            self.post_message(self.Asked(what, self.chosen))


def _styled(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """Return a line with some of its columns in another style."""
    if end <= start:
        return strip
    before, marked, after = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
    return Strip([*before, *(Segment(text, (own or Style()) + style) for text, own, _ in marked), *after])
