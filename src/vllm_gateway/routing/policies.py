"""Which of several replicas shall answer: pure functions over what is known of them."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Candidate(Protocol):
    """What a policy knows of a replica."""

    @property
    def weight(self) -> float:
        """Its share of the work, relative to the others; above 0."""
        ...

    @property
    def outstanding(self) -> int:
        """Requests that it is answering for this gateway now."""
        ...

    @property
    def last_chosen(self) -> int:
        """Number of the choice that fell on it last; 0 when none has."""
        ...


C = TypeVar("C", bound=Candidate)


def least_busy(candidates: Sequence[C]) -> C:
    """Choose the replica with the least work for its weight; of equals, the one that has waited longest.

    `candidates` must not be empty.
    """
    return min(candidates, key=lambda replica: (replica.outstanding / replica.weight, replica.last_chosen))
