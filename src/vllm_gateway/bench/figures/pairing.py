"""What a gateway adds: the same load through it and directly, in turns, and how sure the difference is."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vllm_gateway.bench.figures.distribution import percentile
from vllm_gateway.bench.load.record import Record

CONFIDENCE = 0.95
_RESAMPLES = 1000
_MOST_DRAWN = 2_000_000
"""Values that are drawn in all, so that large runs do not take minutes: they need fewer resamples."""
_LEAST_RESAMPLES = 200
MEASURES: Mapping[str, Callable[[Record], float | None]] = {
    "ttft": lambda record: record.ttft_s,
    "itl": lambda record: record.mean_gap_s,
    "e2el": lambda record: record.e2e_s,
}
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
FIGURES = ("mean", *_SHARES)

Round = tuple[Sequence[Record], Sequence[Record]]
"""One round: what was measured through the gateway, and directly, request by request the same load."""
_Values = tuple[list[float], list[float]]


@dataclass(frozen=True, slots=True)
class Added:
    """A difference, gateway less direct, in seconds, with its confidence interval."""

    value: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """The interval does not hold zero."""
        return self.low > 0 or self.high < 0


def added(rounds: Sequence[Round], *, seed: int = 0) -> dict[str, dict[str, Added]]:
    """Return what the gateway adds to each figure of each measure.

    Requests are paired by their place in the round; a pair of which one failed is left out. The interval is the
    percentile bootstrap over whole rounds: what disturbs a machine lasts longer than one request, so rounds are the
    unit that repeats.
    """
    found = {}
    for name, measure in MEASURES.items():
        values = [_pairs(each, measure) for each in rounds]
        values = [each for each in values if each[0]]
        if values:
            found[name] = _bootstrap(values, random.Random(seed))  # noqa: S311 - draws samples, hides nothing
    return found


def _pairs(round_: Round, measure: Callable[[Record], float | None]) -> _Values:
    through: list[float] = []
    direct: list[float] = []
    for one, other in zip(*round_, strict=False):
        first, second = measure(one), measure(other)
        if one.is_good and other.is_good and first is not None and second is not None:
            through.append(first)
            direct.append(second)
    return through, direct


def _bootstrap(rounds: Sequence[_Values], dice: random.Random) -> dict[str, Added]:
    seen = _differences(rounds)
    size = sum(len(each[0]) for each in rounds)
    times = max(_LEAST_RESAMPLES, min(_RESAMPLES, _MOST_DRAWN // size))
    drawn = [_differences(dice.choices(rounds, k=len(rounds))) for _ in range(times)]
    tail = (1 - CONFIDENCE) / 2
    found = {}
    for name in FIGURES:
        ordered = sorted(each[name] for each in drawn)
        found[name] = Added(seen[name], percentile(ordered, tail), percentile(ordered, 1 - tail))
    return found


def _differences(rounds: Sequence[_Values]) -> dict[str, float]:
    through = sorted(value for each in rounds for value in each[0])
    direct = sorted(value for each in rounds for value in each[1])
    found = {name: percentile(through, share) - percentile(direct, share) for name, share in _SHARES.items()}
    return {"mean": (sum(through) - sum(direct)) / len(through), **found}
