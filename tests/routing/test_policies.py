"""Which of several replicas shall answer."""

from collections import Counter
from itertools import combinations
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.routing.candidates import CANDIDATES, WEIGHTS, Candidate, named, place, seen, talk
from vllm_gateway.routing.load import is_far_busier, least_busy
from vllm_gateway.routing.policies import Policy, policy_of
from vllm_gateway.settings.fleet import Balance, PolicyName

NAMES: tuple[PolicyName, ...] = get_args(PolicyName)
POLICIES = st.sampled_from(NAMES)


def policy(name: PolicyName, *, seed: int = 1, affinity: bool = True) -> Policy:
    """Return a new policy."""
    return policy_of(name, balance=Balance(affinity=affinity), random=Random(seed))  # noqa: S311 - a lot, not a secret


@given(POLICIES, CANDIDATES.filter(bool), st.integers(), st.integers(0, 9), st.text(max_size=200))
def test_a_choice_is_one_of_those_there_are(
    name: PolicyName, candidates: list[Candidate], seed: int, preferred: int, said: str
) -> None:
    """Whatever is asked, preferred and under way."""
    chosen = policy(name, seed=seed)
    asked, _ = seen(chosen, messages=talk(said))
    asked.prefers = f"replica-{preferred}"
    for _ in range(3):
        choice = chosen.choose(named(candidates), asked)
        assert choice in candidates
        chosen.learn(asked, choice.name)
    chosen.forget(choice.name)
    chosen.forget("somebody else")


@given(POLICIES, CANDIDATES.filter(bool))
def test_a_conversation_stays_unless_its_replica_is_far_busier(name: PolicyName, candidates: list[Candidate]) -> None:
    """Every policy yields to load by the same rule."""
    chosen = policy(name)
    asked, _ = seen(chosen, messages=[])
    asked.prefers = "replica-0"
    warm = named(candidates)[0]
    is_too_busy = is_far_busier(warm, least_busy(candidates))
    choice = chosen.choose(candidates, asked)
    if not is_too_busy:
        assert choice is warm


@pytest.mark.parametrize("name", NAMES)
def test_without_affinity_nobody_is_preferred(name: PolicyName) -> None:
    """The replica of the conversation is as good as the others."""
    chosen = policy(name, affinity=False)
    asked, _ = seen(chosen, messages=[])
    asked.prefers = "replica-0"
    candidates = named([Candidate(work=1, turn=1), Candidate()])
    assert chosen.choose(candidates, asked).name == "replica-1"


@given(st.sampled_from(["least_busy", "round_robin"]), st.integers(1, 6), st.integers(1, 40))
def test_requests_spread_evenly_over_equals(name: PolicyName, count: int, requests: int) -> None:
    """Whatever their number, no replica gets two more than another."""
    candidates = named([Candidate() for _ in range(count)])
    place(policy(name), candidates, requests)
    loads = [candidate.work for candidate in candidates]
    assert sum(loads) == requests
    assert max(loads) - min(loads) <= 1


@pytest.mark.parametrize("name", ["least_busy", "round_robin", "prefix"])
def test_idle_replicas_take_turns(name: PolicyName) -> None:
    """One request at a time still reaches all of them."""
    candidates = named([Candidate() for _ in range(3)])
    chosen = policy(name)
    order = []
    for _ in range(2):
        for _ in range(3):
            order += place(chosen, candidates, 1)
            order[-1].work = 0.0
            order[-1].turn = len(order)
    assert [candidate.name[-1] for candidate in order] == list("012012")


@given(st.lists(WEIGHTS, min_size=2, max_size=5), st.integers(1, 60))
def test_work_spreads_by_weight(weights: list[float], requests: int) -> None:
    """No replica has more for its weight than another would have with one request more."""
    candidates = named([Candidate(weight) for weight in weights])
    place(policy("least_busy"), candidates, requests)
    for one, other in combinations(candidates, 2):
        assert (one.work - 1) / one.weight <= other.load
        assert (other.work - 1) / other.weight <= one.load


@pytest.mark.parametrize(("name", "slack"), [("least_busy", 0), ("round_robin", 1), ("two_choices", 4)])
def test_four_times_the_weight_is_four_times_the_work(name: PolicyName, slack: int) -> None:
    """A replica on four GPUs beside one on a single GPU gets four of five requests."""
    large, small = named([Candidate(4.0), Candidate(1.0)])
    place(policy(name), [large, small], 100)
    assert abs(large.work - 80) <= slack
    assert large.work + small.work == 100


def test_round_robin_does_not_look_at_load() -> None:
    """A busy replica gets its turn."""
    candidates = named([Candidate(work=50), Candidate()])
    chosen = place(policy("round_robin"), candidates, 4)
    assert Counter(candidate.name for candidate in chosen) == {"replica-0": 2, "replica-1": 2}


@given(st.integers(), st.integers(3, 8))
def test_two_choices_never_takes_the_busiest(seed: int, count: int) -> None:
    """It is the other of the two who is drawn with it that answers."""
    candidates = named([Candidate(work=number) for number in range(count)])
    choice = policy("two_choices", seed=seed).choose(candidates, seen(policy("two_choices"), messages=[])[0])
    assert choice is not candidates[-1]


def test_two_choices_is_drawn_by_lot() -> None:
    """Not always the least busy one, so that several gateways do not all choose the same."""
    chosen = policy("two_choices")
    asked, _ = seen(chosen, messages=[])
    candidates = named([Candidate(work=number) for number in range(4)])
    drawn = Counter(chosen.choose(candidates, asked).name for _ in range(200))
    assert set(drawn) == {"replica-0", "replica-1", "replica-2"}


@pytest.mark.parametrize("name", NAMES)
def test_every_policy_weighs_requests(name: PolicyName) -> None:
    """A long prompt weighs more than a short one."""
    chosen = policy(name)
    short, _ = seen(chosen, messages=talk("hello"))
    long, _ = seen(chosen, messages=talk("hello" * 4000))
    assert long.work > 2 * short.work


@pytest.mark.parametrize("name", ["least_busy", "round_robin", "two_choices"])
def test_only_the_prefix_policy_reads_prompts(name: PolicyName) -> None:
    """The others leave the blocks alone."""
    asked, _ = seen(policy(name), messages=talk("hello" * 100))
    assert asked.blocks == ()
