"""Questions over the screen: whether to do it, and what all of this means."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static
from typing_extensions import override

_HELP = """\
[b]Keys[/b]
  q, ctrl+q    quit
  1 to 5, p    presets: all, fleet, traffic, shares, speed; the next one
  tab          the next box; shift+tab the one before
  up, down     mark another row (j, k, page up, page down, home, end, mouse)
  s, i         sort by the next column; turn the order over
  /, f         filter: rows that hold all of the words; esc shows all again
  space        stand still, and go on
  d, r         drain the marked replica, let it be asked again; asks first
  x            stop the marked request; asks first
  t            choose a theme
  +, -         look more often, less often
  ctrl+l       draw everything anew

[b]Replicas[/b]
  state        in, trying (after an outage), out, drained, asleep, new
  run, wait    requests inside it, by its own count
  kv cache     how full it is
  hits         tokens of prompts that its prefix cache knew
  in/s, out/s  tokens of prompts read, of answers made, per second
  ttft, itl    time to the first token, time between two: median and 95th
               percentile over the requests of the last minute

[b]Requests[/b]
  tok          tokens so far, of streams; about
  try          replicas asked; +1 for each from which a stream went on

[b]Events[/b]
  Requests that ended with an error, were retried on another replica (ok
  retried), or went on from another one in mid-stream (ok resumed)."""


class Confirm(ModalScreen[bool]):
    """Asks before something is done that others notice."""

    CSS = """
    Confirm { align: center middle; background: transparent; }
    Confirm > Vertical {
        width: 64; max-width: 90%; height: auto; background: $panel; border: round $warning; padding: 1 2;
        border-title-color: $text-warning;
    }
    Confirm Static { width: 100%; height: auto; }
    Confirm #answers { color: $text-accent; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("y,enter", "answer(True)", "yes"),
        ("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, title: str, sentence: str) -> None:
        super().__init__()
        self._title = title
        self._sentence = sentence

    @override
    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self._title
            yield Static(self._sentence, markup=False)
            yield Static("y yes   n no", id="answers")

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001 - it is the answer
        """Give it."""
        self.dismiss(answer)


class Help(ModalScreen[None]):
    """Says what the keys do, and what the columns mean."""

    CSS = """
    Help { align: center middle; background: transparent; }
    Help > VerticalScroll {
        width: 84; max-width: 100%; max-height: 100%; height: auto;
        background: $panel; border: round $border; padding: 0 1;
        border-title-color: $text; border-subtitle-color: $text-muted;
    }
    Help Static { width: 100%; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,f1,question_mark,enter", "dismiss", "close")]

    @override
    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "help"
            box.border_subtitle = "esc"
            yield Static(_HELP)
