"""Which of several replicas shall answer: pure, so that policies can be compared without a replica."""

from collections.abc import Sequence
from random import Random
from typing import Protocol

from vllm_gateway.exchange import Asked, Exchange
from vllm_gateway.routing.load import C, busyness, least_busy, load_of, warm_one, work_of
from vllm_gateway.routing.prefix import Prefix
from vllm_gateway.settings.fleet import Balance, PolicyName


class Policy(Protocol):
    """Chooses replicas for the requests of one route."""

    name: str
    """As the settings call it."""

    def look(self, exchange: Exchange, asked: Asked) -> None:
        """Read off a request what is needed to place it; once, before the first choice."""
        ...

    def choose(self, candidates: Sequence[C], exchange: Exchange) -> C:
        """Choose one of `candidates`, of which there must be one at least."""
        ...

    def weigh(self, candidates: Sequence[C], exchange: Exchange) -> dict[str, dict[str, float]]:
        """Return what would decide between `candidates` now, by name; for whoever wants to know why."""
        ...

    def learn(self, exchange: Exchange, replica_name: str) -> None:
        """Hear how it went, after an answer."""
        ...

    def forget(self, replica_name: str) -> None:
        """Hear that a replica is gone: another one may come under its name."""
        ...


class Cold(Protocol):
    """Chooses a replica for a request of which nothing is known but what it weighs."""

    def __call__(self, candidates: Sequence[C]) -> C:
        """Choose one of two or more."""
        ...


class Memoryless:
    """Chooses by what replicas do now; a conversation stays where it was, unless that is too busy."""

    def __init__(self, name: str, cold: Cold, *, has_affinity: bool) -> None:
        self.name = name
        self._cold = cold
        self._has_affinity = has_affinity

    def look(self, exchange: Exchange, asked: Asked) -> None:
        """Estimate what the request weighs."""
        exchange.work = work_of(asked)

    def choose(self, candidates: Sequence[C], exchange: Exchange) -> C:
        """Choose one of `candidates`, of which there must be one at least."""
        if len(candidates) == 1:
            return candidates[0]
        if self._has_affinity and exchange.prefers is not None:
            warm = warm_one(candidates, exchange.prefers)
            if warm is not None:
                return warm
        return self._cold(candidates)

    def weigh(self, candidates: Sequence[C], exchange: Exchange) -> dict[str, dict[str, float]]:
        """Return how busy each is, and whose turn it is."""
        del exchange
        return {each.name: busyness(each) for each in candidates}

    def learn(self, exchange: Exchange, replica_name: str) -> None:
        """Learn nothing."""

    def forget(self, replica_name: str) -> None:
        """Forget nothing."""


def next_in_turn(candidates: Sequence[C]) -> C:
    """Choose one after the other, each the more often the more weight it has, however busy they are."""
    return min(candidates, key=lambda replica: replica.turn)


class TwoChoices:
    """The less busy of two that are drawn by lot, each by its weight.

    It is nearly as even as to ask for the least busy of all, and several gateways that do so do not all run to the same
    replica between two looks at its gauges.
    """

    def __init__(self, random: Random) -> None:
        self._random = random

    def __call__(self, candidates: Sequence[C]) -> C:
        """Choose one of two or more."""
        first = self._draw(candidates)
        second = self._draw([replica for replica in candidates if replica is not first])
        return min(first, second, key=lambda replica: (load_of(replica), replica.turn))

    def _draw(self, candidates: Sequence[C]) -> C:
        place = self._random.random() * sum([replica.weight for replica in candidates])
        for replica in candidates:
            place -= replica.weight
            if place < 0:
                return replica
        return candidates[-1]  # rounding left a little


def policy_of(name: PolicyName, *, balance: Balance, random: Random, isolates: bool = False) -> Policy:
    """Return a new policy, for one route.

    `isolates`: replicas cache the prompts of different callers apart.
    """
    match name:
        case "least_busy":
            return Memoryless(name, least_busy, has_affinity=balance.affinity)
        case "round_robin":
            return Memoryless(name, next_in_turn, has_affinity=balance.affinity)
        case "two_choices":
            return Memoryless(name, TwoChoices(random), has_affinity=balance.affinity)
        case "prefix":
            return Prefix(balance, isolates=isolates)
