"""One message as it stands in a chat, and its lines."""

from dataclasses import dataclass, field
from enum import Enum

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from vllm_gateway.terminal.chat.words.look import Look
from vllm_gateway.terminal.chat.words.markdown import GrowingMarkdown
from vllm_gateway.terminal.cleaning import clean

_GUTTER = 2


class Kind(Enum):
    """Who speaks."""

    USER = "user"
    ASSISTANT = "assistant"
    NOTE = "note"
    """The chat itself: what went wrong, and what to do."""


class State(Enum):
    """How far an answer has come."""

    WHOLE = "whole"
    WAITING = "waiting"
    RUNNING = "running"
    CUT = "cut"
    """It is not all there, and the gateway has not kept it."""


@dataclass(eq=False, slots=True)
class Entry:
    """A message. It is itself and no other, whatever it says."""

    kind: Kind
    text: str = ""
    thinking: str = ""
    name: str = ""
    """Whose words they are, as the heading says it."""
    footer: str = ""
    state: State = State.WHOLE
    is_unfolded: bool = False
    place: int | None = None
    """Its number in the conversation, once the gateway has kept it."""
    is_forgotten: bool = False
    """The model does not see it any more: it did not fit."""


@dataclass(slots=True)
class Layout:
    """Makes the lines of one entry at one width, and remembers what need not be made again."""

    entry: Entry
    look: Look
    width: int
    _body: GrowingMarkdown = field(init=False)
    _text: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self._body = GrowingMarkdown(self.look, self._inner)

    @property
    def _inner(self) -> int:
        return max(self.width - _GUTTER, 8)

    def lines(self) -> list[Strip]:
        """Return all lines of the entry, with an empty one at the end."""
        entry, look = self.entry, self.look
        lines = self._heading()
        if entry.thinking:
            lines += self._thoughts()
        lines += self._said()
        if entry.footer:
            style = look.bad if entry.state is State.CUT else look.muted
            lines += look.lines(Text(entry.footer, style=style), self._inner)
        bar = {Kind.USER: "▌ ", Kind.ASSISTANT: "  ", Kind.NOTE: "! "}[entry.kind]
        style = {Kind.USER: look.title, Kind.ASSISTANT: look.line, Kind.NOTE: look.bad}[entry.kind]
        gutter = Segment(bar, style)
        return [Strip([gutter, *line]) for line in lines] + [Strip.blank(0)]

    def _heading(self) -> list[Strip]:
        entry, look = self.entry, self.look
        if entry.kind is Kind.NOTE:
            return []
        more = " (the model does not see this any more)" if entry.is_forgotten else ""
        return [
            Strip([Segment(entry.name, look.title if entry.kind is Kind.USER else look.hot), Segment(more, look.muted)])
        ]

    def _thoughts(self) -> list[Strip]:
        entry, look = self.entry, self.look
        words = len(entry.thinking.split())
        mark = "▾" if entry.is_unfolded else "▸"
        lines = [Strip([Segment(f"{mark} thoughts ({words} words)", look.muted)])]
        if entry.is_unfolded:
            shown = Text(clean(entry.thinking.strip("\n")), style=Style(italic=True) + look.muted)
            lines += [Strip([Segment("  "), *line]) for line in look.lines(shown, self._inner - 2)]
        return lines

    def _said(self) -> list[Strip]:
        entry, look = self.entry, self.look
        text = clean(entry.text)
        if entry.kind is not Kind.ASSISTANT:
            style = look.bad if entry.kind is Kind.NOTE else look.text
            return look.lines(Text(text, style=style, tab_size=4), self._inner)
        if not text.startswith(self._text):
            self._body = GrowingMarkdown(look, self._inner)
        self._text = text
        if not text and entry.state in {State.WAITING, State.RUNNING}:
            return [Strip([Segment("...", look.muted)])]
        return self._body.lines(text)
