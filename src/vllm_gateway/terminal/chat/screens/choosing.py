"""A list in which one searches as one types."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.fuzzy import FuzzySearch
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option
from typing_extensions import override

from vllm_gateway.terminal.chat.bindings import bindings
from vllm_gateway.terminal.chat.screens.boxes import Boxed
from vllm_gateway.terminal.cleaning import clean

_ROOM = 70


@dataclass(frozen=True, slots=True)
class Choice:
    """A row of a list."""

    id: str
    label: str
    detail: str = ""
    """Stands at the right."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What shall be done with which row."""

    what: str
    """`open`, or `rename`, `delete`, `export`."""
    id: str


def matching(choices: Sequence[Choice], needle: str) -> list[Choice]:
    """Return the rows that fit what was typed, the best first; all of them as they come when nothing was."""
    needle = needle.strip()
    if not needle:
        return list(choices)
    search = FuzzySearch()
    scored = [(search.match(needle, f"{choice.label} {choice.detail}")[0], choice) for choice in choices]
    return [choice for score, choice in sorted(scored, key=lambda pair: -pair[0]) if score > 0]


def row(choice: Choice, width: int = _ROOM) -> Text:
    """Return a row: what it is at the left, more about it at the right, in one line."""
    detail = clean(choice.detail)
    label = Text(clean(choice.label).replace("\n", " "))
    label.truncate(max(width - len(detail) - 2, 10), overflow="ellipsis", pad=True)
    return label.append(f"  {detail}")


class Choosing(Boxed[Chosen]):
    """A list with a line to search in it."""

    DEFAULT_CSS = """
    Choosing OptionList {
        height: auto; max-height: 16; border: none; background: $background; padding: 0;
        scrollbar-size-vertical: 1;
    }
    Choosing OptionList:focus { border: none; }
    """

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice],
        *,
        says: str = "Enter opens",
        marked: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self._marked = marked
        self._width = 0
        self._title = title
        self._choices = choices
        self._says = says

    @override
    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(id="box") as box:
            self.entitle(box, self._title, f"{self._says} · Esc closes")
            yield Input(placeholder="Search")
            yield OptionList()

    def on_mount(self) -> None:
        """Begin with everything."""
        self._fill("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search."""
        self._fill(event.value)

    def on_input_submitted(self) -> None:
        """Open what is marked."""
        self._done("open")

    def on_option_list_option_selected(self) -> None:
        """Open what was clicked."""
        self._done("open")

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Tell whoever shows what a choice would be like."""
        if self._marked is not None and event.option_id is not None:
            self._marked(event.option_id)

    def key_down(self) -> None:
        """Mark the next row, while one goes on typing."""
        self.query_one(OptionList).action_cursor_down()

    def key_up(self) -> None:
        """Mark the row before."""
        self.query_one(OptionList).action_cursor_up()

    def _fill(self, needle: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        self._width = self.query_one("#box").content_size.width
        width = max(self._width - 2, 20)
        found = matching(self._choices, needle)
        options.add_options([Option(row(choice, width), id=choice.id) for choice in found])
        if found:
            options.highlighted = 0

    def on_resize(self) -> None:
        """Fill the new width."""
        if self.query_one("#box").content_size.width != self._width:
            self._fill(self.query_one(Input).value)

    def _done(self, what: str) -> None:
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            chosen = options.get_option_at_index(options.highlighted).id
            self.dismiss(Chosen(what, chosen or ""))


class ChoosingChat(Choosing):
    """The list of conversations, in which they can be renamed, deleted and exported."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("list.rename", "list.delete", "list.export", is_priority=True)

    def action_rename(self) -> None:
        """Give it another title."""
        self._done("rename")

    def action_delete(self) -> None:
        """Delete it; that is asked once more."""
        self._done("delete")

    def action_export(self) -> None:
        """Write it to a file."""
        self._done("export")
