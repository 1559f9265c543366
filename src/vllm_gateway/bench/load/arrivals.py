"""When requests arrive: in a closed loop whenever one of so many callers is free, in an open loop on a schedule."""

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Pattern(Enum):
    """How arrivals of one rate are spread."""

    POISSON = "poisson"
    """At random, as independent callers come."""
    CONSTANT = "constant"
    """Evenly."""
    BURST = "burst"
    """Several at once, the groups at random."""


@dataclass(frozen=True, slots=True)
class Closed:
    """So many callers, each asking again as soon as it has its answer."""

    concurrency: int


@dataclass(frozen=True, slots=True)
class Open:
    """Requests that arrive whether or not earlier ones are answered."""

    rate_per_s: float
    last_rate_per_s: float | None = None
    """The rate at the end, when it grows or falls evenly."""
    pattern: Pattern = Pattern.POISSON
    burst: int = 8
    """Arrivals of one group, where the pattern is a burst."""

    @property
    def mean_rate_per_s(self) -> float:
        """The rate over the whole run."""
        return (self.rate_per_s + self._last) / 2

    @property
    def _last(self) -> float:
        return self.rate_per_s if self.last_rate_per_s is None else self.last_rate_per_s

    def schedule(self, *, seed: int, requests: int | None = None, duration_s: float | None = None) -> Iterator[float]:
        """Yield the seconds after the start at which requests arrive: so many, or as many as fall into the time.

        The arrivals of a process with one event per unit of time are laid on the clock in such a way that the rate is
        the wanted one at every moment. One of the two bounds is needed. Where the number of requests is given, chance
        decides when each comes, not how long they take together: the rate over all is exactly the wanted one.
        """
        span_s = duration_s if duration_s is not None else (requests or 0) / self.mean_rate_per_s
        stretch = 1.0 if requests is None else self._stretch(seed, requests)
        for arrival in itertools.islice(self._unit_process(seed), requests):
            at = _moment(arrival * stretch, self.rate_per_s, self._last, span_s)
            if duration_s is not None and at >= duration_s:
                return
            yield at

    def _stretch(self, seed: int, requests: int) -> float:
        """Return what makes the group after the last request begin when it should."""
        size = self.burst if self.pattern is Pattern.BURST else 1
        after = -(-requests // size) * size
        return after / next(itertools.islice(self._unit_process(seed), after, None))

    def _unit_process(self, seed: int) -> Iterator[float]:
        dice = random.Random(seed)  # noqa: S311 - a schedule is no secret
        if self.pattern is Pattern.CONSTANT:
            yield from (float(number) for number in itertools.count())
        at, size = 0.0, self.burst if self.pattern is Pattern.BURST else 1
        while True:
            yield from itertools.repeat(at, size)
            at += dice.expovariate(1.0) * size


def _moment(arrival: float, first_rate: float, last_rate: float, span_s: float) -> float:
    """Return when the integral of a rate that changes evenly from the first to the last over `span_s` is `arrival`."""
    growth = (last_rate - first_rate) / span_s if span_s > 0 else 0.0
    if growth == 0:
        return arrival / first_rate
    under = first_rate * first_rate + 2 * growth * arrival
    return (math.sqrt(max(0.0, under)) - first_rate) / growth
