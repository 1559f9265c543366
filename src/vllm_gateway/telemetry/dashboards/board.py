"""What a dashboard is made of, before Grafana's own words are put on it."""

from dataclasses import dataclass, field
from enum import Enum


class Look(Enum):
    """How a panel shows its numbers."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"
    HEATMAP = "heatmap"


class Unit(Enum):
    """What is counted, as Grafana calls it."""

    COUNT = "short"
    SECONDS = "s"
    SHARE = "percentunit"
    PER_SECOND = "reqps"
    TOKENS_PER_SECOND = "suffix: tok/s"
    EVENTS_PER_SECOND = "ops"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and what its series are called."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    title: str
    unit: Unit
    queries: tuple[Query, ...]
    about: str
    """What it says, for whoever sees it the first time."""
    look: Look = Look.LINES
    warn: float | None = None
    """From here on it is yellow, and red from `bad` on; where `bad` is the smaller one, downwards."""
    bad: float | None = None
    is_stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that belong together."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What can be chosen above a dashboard: a label of a metric, or one of some values."""

    name: str
    label: str
    query: str = ""
    """Where Grafana finds the values."""
    values: tuple[str, ...] = ()
    """The values themselves, the usual one first."""


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard."""

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = field(default=())
