"""Finding the highest rate at which a server still keeps its promise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vllm_gateway.bench.figures.summary import Summary

GOOD_SHARE = 0.95
"""The share of requests that must be good for a rate to be kept."""
_GROWTH = 2.0
_HALVINGS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One rate, and what was measured at it."""

    rate_per_s: float
    summary: Summary
    client_limit: str | None = None
    """Why the figures are the client's rather than the server's, if they are."""

    @property
    def good_share(self) -> float:
        """The share of requests within every limit."""
        return self.summary.good / self.summary.asked if self.summary.asked else 0.0

    @property
    def is_kept(self) -> bool:
        """Enough requests were good."""
        return self.good_share >= GOOD_SHARE


@dataclass(frozen=True, slots=True)
class Sweep:
    """Which rates are tried: those of a list, or a search between two."""

    rates_per_s: tuple[float, ...] = ()
    low_per_s: float = 0.0
    high_per_s: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Sweep":
        """Return what `1,2,4,8` or `1:64` says; raise `ValueError` when it says nothing."""
        sentence = f"--sweep {text}: it takes rates, as in 1,2,4,8, or a range that is searched, as in 1:64."
        try:
            low_high = [float(part) for part in text.split(":")]
            if len(low_high) == 2 and 0 < low_high[0] < low_high[1] < math.inf:  # noqa: PLR2004 - a range has two ends
                return cls(low_per_s=low_high[0], high_per_s=low_high[1])
        except ValueError:
            pass  # then it is a list
        try:
            rates = tuple(sorted({float(part) for part in text.split(",")}))
        except ValueError as mistake:
            raise ValueError(sentence) from mistake
        if not all(0 < rate < math.inf for rate in rates):
            raise ValueError(sentence)
        return cls(rates)

    def next_rate(self, steps: Sequence[Step]) -> float | None:
        """Return the rate to try after these; None when enough is known.

        A search doubles the rate until one is not kept, and halves the gap between the last that was and the first
        that was not three times.
        """
        if self.rates_per_s:
            return self.rates_per_s[len(steps)] if len(steps) < len(self.rates_per_s) else None
        if not steps:
            return self.low_per_s
        kept = [step.rate_per_s for step in steps if step.is_kept]
        missed = [step.rate_per_s for step in steps if not step.is_kept]
        if not missed:
            last = steps[-1].rate_per_s
            return min(last * _GROWTH, self.high_per_s) if last < self.high_per_s else None
        if not kept or len(steps) - _first_missed(steps) > _HALVINGS:
            return None
        return round((max(kept) + min(missed)) / 2, 3)


def knee(steps: Sequence[Step]) -> Step | None:
    """Return the step of the highest rate that was kept, of those below the first that was not."""
    found = None
    for step in sorted(steps, key=lambda each: each.rate_per_s):
        if not step.is_kept:
            break
        found = step
    return found


def _first_missed(steps: Sequence[Step]) -> int:
    return next(number for number, step in enumerate(steps) if not step.is_kept)
