"""Every key, and what it does; first those that count where one is."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static
from typing_extensions import override

from vllm_gateway.terminal.chat.screens.boxes import Boxed
from vllm_gateway.terminal.keys import CHAT

_NAMES = {"escape": "Esc", "pageup": "PgUp", "pagedown": "PgDn", "delete": "Del", "space": "Space", "enter": "Enter"}


def shown(keys: str) -> str:
    """Return keys as they stand on a keyboard."""
    return " or ".join(_shown(key) for key in keys.split(","))


def _shown(key: str) -> str:
    parts = key.split("+")
    if len(parts) == 1 and len(key) == 1:
        return key
    return "+".join(
        _NAMES.get(part, part.upper() if part[:1] == "f" and part[1:].isdigit() else part.capitalize())
        for part in parts
    )


class Help(Boxed[None]):
    """The keys as they are set now."""

    DEFAULT_CSS = """
    Help VerticalScroll { height: auto; max-height: 94%; }
    """

    def __init__(self, given: Mapping[str, str], *, first: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._given = given
        self._first = first

    @override
    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll(id="box") as box:
            self.entitle(box, "Keys", "[keys] in terminal.toml changes them · Esc closes")
            yield Static(self._table())

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        groups = list(dict.fromkeys(key.group for key in CHAT))
        for group in sorted(groups, key=lambda each: each not in self._first):
            table.add_row("", "")
            table.add_row(Text(group, style="bold"), Text("here" if group in self._first else "", style="dim"))
            for key in CHAT:
                if key.group == group:
                    keys = self._given.get(key.id, key.keys)
                    table.add_row(shown(keys), key.says, Text(key.id, style="dim"))
        return table
