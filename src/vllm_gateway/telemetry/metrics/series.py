"""Measured values: plain numbers under their labels, and how those of several processes become one."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest

from vllm_gateway.telemetry.metrics.definitions import BY_NAME, Fold, Kind, Metric

Labels = tuple[str, ...]
"""Values, in the order of the metric's labels."""
Value = float | list[float]
"""A number; of a histogram the sum, and then how many fell into each bucket."""
Series = Mapping[Labels, Value]
Snapshot = dict[str, dict[Labels, Value]]
"""Series under the names of their metrics, as of one moment."""

OTHER = "other"
"""Stands for all values of a label beyond those that may have a series of their own."""
_FOLDS: dict[Fold, Callable[[float, float], float]] = {Fold.SUM: lambda a, b: a + b, Fold.MAX: max, Fold.MIN: min}


class Capped:
    """The values of one label: the first so many that come, and `other` for the rest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def label(self, value: str | None) -> str:
        """Return the value that stands for this one."""
        if value in self._known:
            return value
        if not value or len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value


class Spread:
    """How values spread over the buckets of a metric: one of its series."""

    __slots__ = ("_bounds", "row")

    def __init__(self, metric: Metric) -> None:
        self._bounds = metric.buckets
        self.row = [0.0] * (len(metric.buckets) + 2)

    def observe(self, value: float) -> None:
        """Take a value in."""
        row = self.row
        row[0] += value
        row[bisect_left(self._bounds, value) + 1] += 1


def spread_out(series: Iterable[tuple[Labels, Spread]]) -> dict[Labels, Value]:
    """Return series as of now, but those that no value has come to."""
    return {labels: list(spread.row) for labels, spread in series if any(spread.row[1:])}


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Return the snapshots of several processes as one."""
    into: Snapshot = {}
    for snapshot in snapshots:
        for name, series in snapshot.items():
            fold = _FOLDS[BY_NAME[name].fold]
            found = into.setdefault(name, {})
            for labels, value in series.items():
                found[labels] = _folded(fold, found[labels], value) if labels in found else value
    return into


def lasting(snapshot: Snapshot) -> Snapshot:
    """Return what of a snapshot goes on to count when the process is gone: all but the gauges."""
    return {name: series for name, series in snapshot.items() if BY_NAME[name].kind is not Kind.GAUGE}


def plain(snapshot: Snapshot) -> dict[str, list[list[object]]]:
    """Return a snapshot as JSON can hold it."""
    return {name: [[list(labels), value] for labels, value in series.items()] for name, series in snapshot.items()}


def read(told: Mapping[str, Iterable[tuple[Iterable[str], Value]]]) -> Snapshot:
    """Return the snapshot that `plain` has written; metrics that are not known here are left out."""
    return {
        name: {tuple(labels): value for labels, value in series} for name, series in told.items() if name in BY_NAME
    }


def _folded(fold: Callable[[float, float], float], one: Value, other: Value) -> Value:
    if isinstance(one, list) and isinstance(other, list):
        return [a + b for a, b in zip_longest(one, other, fillvalue=0.0)]
    if isinstance(one, list) or isinstance(other, list):
        raise TypeError("a histogram and a number are not one series")
    return fold(one, other)
