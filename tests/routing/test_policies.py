"""Which of several replicas shall answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.routing.policies import least_busy, least_busy_or_warm


@dataclass
class Candidate:
    """A replica, as a policy sees it."""

    weight: float = 1.0
    outstanding: int = 0
    turn: float = 0.0
    name: str = ""

    @property
    def load(self) -> float:
        """Its work for its weight."""
        return self.outstanding / self.weight


WEIGHTS = st.floats(0.1, 10)
CANDIDATES = st.builds(Candidate, WEIGHTS, st.integers(0, 20), st.integers(0, 50))


def ask(candidates: Sequence[Candidate], times: int) -> list[Candidate]:
    """Let the policy choose again and again, as the pool notes it, with no answer coming to its end."""
    chosen = []
    for number in range(1, times + 1):
        choice = least_busy(candidates)
        choice.outstanding += 1
        choice.turn = number
        chosen.append(choice)
    return chosen


@given(st.lists(CANDIDATES, min_size=1, max_size=6))
def test_a_busier_replica_is_never_chosen(candidates: list[Candidate]) -> None:
    """Nobody has less work for its weight than the choice; of equals nobody has waited longer."""
    choice = least_busy(candidates)
    assert choice.load == min(candidate.load for candidate in candidates)
    equals = [candidate for candidate in candidates if candidate.load == choice.load]
    assert choice.turn == min(candidate.turn for candidate in equals)


@given(st.integers(1, 6), st.integers(1, 40))
def test_requests_spread_evenly_over_equals(count: int, requests: int) -> None:
    """Whatever their number, no replica gets two more than another."""
    candidates = [Candidate() for _ in range(count)]
    ask(candidates, requests)
    loads = [candidate.outstanding for candidate in candidates]
    assert sum(loads) == requests
    assert max(loads) - min(loads) <= 1


def test_idle_replicas_take_turns() -> None:
    """One request at a time still reaches all of them."""
    candidates = [Candidate() for _ in range(3)]
    order = []
    for _ in range(2):
        for choice in ask(candidates, 3):
            order.append(candidates.index(choice))
            choice.outstanding = 0
    assert order == [0, 1, 2, 0, 1, 2]


@given(st.lists(WEIGHTS, min_size=2, max_size=5), st.integers(1, 60))
def test_work_spreads_by_weight(weights: list[float], requests: int) -> None:
    """No replica has more for its weight than another would have with one request more."""
    candidates = [Candidate(weight) for weight in weights]
    ask(candidates, requests)
    for one, other in combinations(candidates, 2):
        assert (one.outstanding - 1) / one.weight <= other.load
        assert (other.outstanding - 1) / other.weight <= one.load


def test_four_times_the_weight_is_four_times_the_work() -> None:
    """A replica on four GPUs beside one on a single GPU gets four of five requests."""
    large, small = Candidate(4.0), Candidate(1.0)
    ask([large, small], 100)
    assert (large.outstanding, small.outstanding) == (80, 20)


def test_a_warm_replica_is_preferred_until_it_is_far_busier() -> None:
    """Up to twice the work of the least busy one and four requests more."""
    for outstanding, expected in ((0, "warm"), (14, "warm"), (15, "cold")):
        warm, cold = Candidate(name="warm", outstanding=outstanding), Candidate(name="cold", outstanding=5)
        assert least_busy_or_warm([cold, warm], "warm").name == expected


def test_a_preferred_replica_that_is_not_there_changes_nothing() -> None:
    """The least busy one is chosen."""
    candidates = [Candidate(name="a", outstanding=3), Candidate(name="b", outstanding=1)]
    for name in (None, "gone"):
        assert least_busy_or_warm(candidates, name).name == "b"
