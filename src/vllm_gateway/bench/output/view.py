"""What one sees while the load is made."""

from collections import Counter, deque
from contextlib import AbstractContextManager
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vllm_gateway.bench.figures.distribution import percentile
from vllm_gateway.bench.load.record import Record
from vllm_gateway.clock import Clock, SystemClock

_PER_SECOND = 2
_LAST = 500
"""Answers of which the latencies are shown."""
_WINDOW_S = 5.0


class View:
    """Counts what it is told, and draws it twice a second, from a thread of its own; nothing is drawn per request."""

    def __init__(self, title: str, clock: Clock | None = None) -> None:
        self._title = title
        self._clock = clock or SystemClock()
        self._began_at = self._clock.now()
        self._under_way = 0
        self._answered = 0
        self._output_tokens = 0
        self._errors: Counter[str] = Counter()
        self._ends: deque[float] = deque()
        self._last: deque[Record] = deque(maxlen=_LAST)

    def sent(self, record: Record) -> None:  # noqa: ARG002 - an onlooker is told of whom
        """Count a request."""
        self._under_way += 1

    def ended(self, record: Record) -> None:
        """Count an answer or a failure."""
        self._under_way -= 1
        self._ends.append(self._clock.now())
        if record.error is not None:
            self._errors[record.error] += 1
            return
        self._answered += 1
        self._output_tokens += record.output_tokens or 0
        self._last.append(record)

    def figures(self) -> dict[str, str]:
        """Return what is shown now."""
        now = self._clock.now()
        while self._ends and self._ends[0] < now - _WINDOW_S:
            self._ends.popleft()
        past_s = now - self._began_at
        last = list(self._last)  # at once, because it grows meanwhile
        shown = {
            "time": f"{past_s:.0f} s",
            "under way": str(self._under_way),
            "answered": str(self._answered),
            f"ended per second, last {_WINDOW_S:g} s": f"{len(self._ends) / max(0.001, min(past_s, _WINDOW_S)):.1f}",
            "tokens out": str(self._output_tokens),
            "TTFT p50 / p99": _spread([each.ttft_s for each in last]),
            "E2E p50 / p99": _spread([each.e2e_s for each in last]),
        }
        if self._errors:
            shown["failed"] = ", ".join(f"{kind} {count}" for kind, count in self._errors.most_common())
        return shown

    def __rich__(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for name, text in self.figures().items():
            table.add_row(f"[dim]{name}[/dim]", text, style="red" if name == "failed" else None)
        return Group(Text(self._title, style="bold"), table)

    def live(self, stream: TextIO) -> AbstractContextManager[object]:
        """Return what draws it on a terminal while it is open, and takes it away again."""
        console = Console(file=stream)
        return Live(console=console, get_renderable=self.__rich__, refresh_per_second=_PER_SECOND, transient=True)


def _spread(values: list[float | None]) -> str:
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return "-"
    return f"{percentile(ordered, 0.5) * 1000:.1f} / {percentile(ordered, 0.99) * 1000:.1f} ms"
