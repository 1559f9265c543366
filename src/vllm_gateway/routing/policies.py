"""Which of several replicas shall answer: pure functions over what is known of them."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

_SLACK = 4
"""A warm cache is worth waiting behind so many requests more than a cold replica has."""


class Candidate(Protocol):
    """What a policy knows of a replica."""

    @property
    def name(self) -> str:
        """Names it."""
        ...

    @property
    def weight(self) -> float:
        """Its share of the work, relative to the others; above 0."""
        ...

    @property
    def outstanding(self) -> int:
        """Requests that it is answering for this gateway now."""
        ...

    @property
    def turn(self) -> float:
        """Its place in the order of those that are equally busy: the lowest comes next."""
        ...


C = TypeVar("C", bound=Candidate)


def least_busy(candidates: Sequence[C]) -> C:
    """Choose the replica with the least work for its weight; of equals, the one whose turn it is.

    `candidates` must not be empty.
    """
    return min(candidates, key=lambda replica: (replica.outstanding / replica.weight, replica.turn))


def least_busy_or_warm(candidates: Sequence[C], preferred: str | None) -> C:
    """Choose the preferred replica unless it is far busier than the least busy one, which is chosen otherwise.

    Far busier: more than twice as much work for its weight, and `_SLACK` requests more.
    """
    least = least_busy(candidates)
    for warm in candidates:
        if warm.name == preferred and warm.outstanding / warm.weight <= 2 * least.outstanding / least.weight + _SLACK:
            return warm
    return least
