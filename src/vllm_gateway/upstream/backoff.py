"""When another replica is asked: after a short wait drawn by lot, and not one that asked for patience."""

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

from vllm_gateway.settings.fleet import Retry

_MOST_S = 5.0
"""A doubled wait ends here: whoever waits longer has long given up."""
_LEAST_PATIENCE_S, _MOST_PATIENCE_S = 0.2, 0.8
"""How long a replica is spared that has too much to do and does not say for how long."""


class Patient(Protocol):
    """What is known here of a replica."""

    @property
    def patience_until(self) -> float:
        """It asked not to be asked again before this time."""
        ...


P = TypeVar("P", bound=Patient)


def wait_before(tries: int, settings: Retry, random: Random) -> float:
    """Return the seconds to wait after so many tries, at least one of them, before the next.

    Anything between nothing and twice the average: requests that failed together must not come back together.
    """
    average_s = settings.wait_s * 2 ** (tries - 1)
    return min(random.uniform(0.0, 2 * average_s), _MOST_S)


def patience(asked_s: float | None, random: Random) -> float:
    """Return for how many seconds an overloaded replica is not asked; `asked_s` is what it said itself."""
    return random.uniform(_LEAST_PATIENCE_S, _MOST_PATIENCE_S) if asked_s is None else asked_s


def askable(replicas: Sequence[P], now: float) -> list[P]:
    """Return the replicas that have not asked for patience, or whose time is over."""
    return [replica for replica in replicas if replica.patience_until <= now]


def wait_for_any(replicas: Sequence[Patient], now: float) -> float:
    """Return the seconds until the first of the replicas may be asked; 0 when one may be asked now."""
    return max(0.0, min(replica.patience_until for replica in replicas) - now) if replicas else 0.0
