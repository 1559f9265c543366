"""How values are spread."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Distribution:
    """The usual figures of some values, of which there is at least one."""

    count: int
    mean: float
    median: float
    std: float
    p50: float
    p90: float
    p95: float
    p99: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Distribution | None":
        """Return the figures of those values that are known; None when none is."""
        ordered = sorted(value for value in values if value is not None)
        if not ordered:
            return None
        mean = math.fsum(ordered) / len(ordered)
        variance = math.fsum((value - mean) ** 2 for value in ordered) / len(ordered)
        shares = {name: percentile(ordered, share) for name, share in SHARES.items()}
        return cls(
            count=len(ordered),
            mean=mean,
            median=shares["p50"],
            std=math.sqrt(variance),
            least=ordered[0],
            most=ordered[-1],
            **shares,
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` of `ordered` lies, on the straight line between its two neighbours.

    This is the default of NumPy's `percentile`, which `vllm bench serve` uses.
    """
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
