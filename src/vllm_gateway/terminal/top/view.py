"""What of a picture is to be seen, and in which order."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from vllm_gateway.terminal.top.picture import EventRow, Picture, ReplicaRow, RequestRow, ShareRow

Row = TypeVar("Row", ReplicaRow, RequestRow, EventRow, ShareRow)
Key = Callable[[Any], Any]


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key for sorting by which `gpu-2` comes before `gpu-10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


_STATES = ("out", "trying", "new", "drained", "asleep", "in")

SORTS: dict[str, dict[str, Key]] = {
    "replicas": {
        "name": lambda row: natural(row.name),
        "state": lambda row: _STATES.index(row.state),
        "running": lambda row: -(row.running or 0),
        "waiting": lambda row: -(row.waiting or 0),
        "kv": lambda row: -(row.kv or 0),
        "hits": lambda row: -(row.hits or 0),
        "in/s": lambda row: -(row.read_per_s or 0),
        "out/s": lambda row: -(row.made_per_s or 0),
        "ttft": lambda row: -(row.ttft.p95 or 0),
        "itl": lambda row: -(row.itl.p95 or 0),
    },
    "requests": {
        "age": lambda row: -row.seconds,
        "tokens": lambda row: -(row.tokens or 0),
        "model": lambda row: row.model,
        "replica": lambda row: natural(row.replica),
        "caller": lambda row: row.caller,
    },
    "events": {
        "time": lambda row: -row.at,
        "outcome": lambda row: row.outcome,
        "replica": lambda row: natural(row.replica),
    },
    "models": {
        "tokens": lambda row: -row.tokens,
        "requests": lambda row: -row.requests,
        "failed": lambda row: -row.failed,
        "name": lambda row: natural(row.name),
    },
    "callers": {
        "tokens": lambda row: -row.tokens,
        "requests": lambda row: -row.requests,
        "failed": lambda row: -row.failed,
        "name": lambda row: natural(row.name),
    },
}
"""Boxes with rows, and what each can be sorted by; the first is what it is sorted by from the beginning."""


@dataclass(frozen=True, slots=True)
class Order:
    """How one box is sorted."""

    by: str
    is_reversed: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What the user has chosen."""

    words: str = ""
    """Only rows that hold all of these are shown."""
    focus: str = "replicas"
    """The box that keys are for."""
    orders: tuple[tuple[str, Order], ...] = ()
    """How boxes are sorted that are not sorted as in the beginning."""
    is_paused: bool = False

    def order(self, box: str) -> Order:
        """Return how a box is sorted."""
        return dict(self.orders).get(box) or Order(next(iter(SORTS[box])))

    def sorted_by_next(self) -> "View":
        """Sort the box in focus by what comes next."""
        names = list(SORTS[self.focus])
        at = names.index(self.order(self.focus).by)
        return self._ordered(Order(names[(at + 1) % len(names)]))

    def turned_over(self) -> "View":
        """Sort the box in focus the other way round."""
        order = self.order(self.focus)
        return self._ordered(Order(order.by, not order.is_reversed))

    def _ordered(self, order: Order) -> "View":
        return replace(self, orders=tuple({**dict(self.orders), self.focus: order}.items()))


def rows(picture: Picture, view: View, box: str) -> Sequence[Any]:
    """Return the rows of a box that are shown, in their order; equals stay in the gateway's own."""
    order = view.order(box)
    found = filtered(getattr(picture, box), view.words)
    return sorted(found, key=SORTS[box][order.by], reverse=order.is_reversed)


def filtered(among: Iterable[Row], words: str) -> list[Row]:
    """Return the rows that hold every word somewhere, whatever its case."""
    wanted = words.lower().split()
    if not wanted:
        return list(among)
    return [row for row in among if all(word in _text(row) for word in wanted)]


def _text(row: ReplicaRow | RequestRow | EventRow | ShareRow) -> str:
    parts = (getattr(row, name) for name in row.__slots__)
    return " ".join(
        " ".join(part) if isinstance(part, tuple) else part for part in parts if isinstance(part, str | tuple)
    ).lower()
