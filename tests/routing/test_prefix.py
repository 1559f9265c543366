"""Policy `prefix`: where the cache is warm, unless the wait is worth more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.routing.candidates import CANDIDATES, Candidate, named, place, seen, talk
from vllm_gateway.callers import Caller
from vllm_gateway.exchange import Usage
from vllm_gateway.routing.load import is_far_busier, least_busy
from vllm_gateway.routing.prefix import Prefix
from vllm_gateway.settings.fleet import Balance

LONG = "All that was said before, in so many words that it fills a block or two of whatever holds it. " * 10


def pair() -> tuple[Prefix, list[Candidate]]:
    """Return a policy whose second replica has read a prompt of 1 KiB."""
    policy, candidates = Prefix(Balance()), named([Candidate(), Candidate()])
    asked, _ = seen(policy, messages=talk(LONG))
    policy.choose(candidates[1:], asked)
    return policy, candidates


def test_the_next_turn_goes_where_the_turn_before_was() -> None:
    """Without a word from the client about which conversation it is."""
    policy, candidates = pair()
    asked, _ = seen(policy, messages=talk(LONG, "Yes.", "And then?"))
    assert policy.choose(candidates, asked).name == "replica-1"


def test_a_prompt_that_nobody_knows_goes_by_load() -> None:
    """To the least busy replica, and of equals to the one whose turn it is."""
    policy, candidates = pair()
    candidates[1].turn = 1
    asked, _ = seen(policy, messages=talk("Something else. " + LONG))
    assert policy.choose(candidates, asked).name == "replica-0"


def test_a_warm_cache_is_worth_so_much_waiting_and_no_more() -> None:
    """About 1 KiB of prompt makes up for two ordinary requests."""
    chosen = []
    for work in (0.0, 1.0, 2.5, 50.0):
        policy, candidates = pair()
        candidates[1].work = work
        asked, _ = seen(policy, messages=talk(LONG, "Yes.", "And then?"))
        chosen.append(policy.choose(candidates, asked).name)
    assert chosen == ["replica-1", "replica-1", "replica-0", "replica-0"]


def test_a_beginning_that_everybody_shares_does_not_draw_all_to_one() -> None:
    """As soon as the warm replica is busy another one learns it, and from then on load decides."""
    policy, candidates = pair()
    new, _ = seen(policy, messages=talk(LONG))
    new.work = 1.0
    place(policy, candidates, 40, new)
    assert all(candidate.work >= 15 for candidate in candidates)


@given(CANDIDATES.filter(bool), st.integers(1, 40))
def test_who_is_far_busier_is_never_chosen(candidates: list[Candidate], times: int) -> None:
    """However much of the prompt it knows."""
    policy = Prefix(Balance())
    asked, _ = seen(policy, messages=talk(LONG * times))
    policy.choose(named(candidates)[:1], asked)
    choice = policy.choose(candidates, asked)
    assert not is_far_busier(choice, least_busy(candidates))


def test_simultaneous_requests_of_one_beginning_go_to_one_replica() -> None:
    """What was sent is known from then on, before it is answered."""
    policy, candidates = Prefix(Balance()), named([Candidate() for _ in range(4)])
    first, _ = seen(policy, messages=talk(LONG * 4))
    second, _ = seen(policy, messages=talk(LONG * 4, "Yes.", "And?"))
    assert policy.choose(candidates, first) is policy.choose(candidates, second)


def test_what_turns_out_wrong_loses_its_say() -> None:
    """A replica whose cache never has what it should is chosen by load."""
    policy, candidates = pair()
    asked, _ = seen(policy, messages=talk(LONG, "Yes.", "And then?"))
    asked.usage = Usage(300, 10, cached_tokens=290)
    policy.choose(candidates[1:], asked)
    policy.learn(asked, "replica-1")
    candidates[1].work = 1.0
    assert policy.choose(candidates, asked).name == "replica-1"
    asked.usage = Usage(300, 10, cached_tokens=0)
    for _ in range(50):
        policy.choose(candidates[1:], asked)
        policy.learn(asked, "replica-1")
    assert policy.choose(candidates, asked).name == "replica-0"


def test_a_prompt_that_was_not_expected_teaches_nothing() -> None:
    """The first sight of it is no wrong guess."""
    policy, candidates = pair()
    asked, _ = seen(policy, messages=talk("Something else. " + LONG))
    asked.usage = Usage(300, 10, cached_tokens=0)
    policy.choose(candidates, asked)
    assert asked.known_blocks == 0
    policy.learn(asked, "replica-0")
    assert policy._models["replica-0"].trust == 1.0


def test_an_answer_without_usage_teaches_nothing() -> None:
    """A stream that broke off says nothing of the cache."""
    policy, candidates = pair()
    asked, _ = seen(policy, messages=talk(LONG))
    policy.choose(candidates[1:], asked)
    policy.learn(asked, "replica-1")
    assert asked.known_blocks > 0
    assert policy._models["replica-1"].trust == 1.0


@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "was away"])
def test_a_replica_that_came_back_is_empty(*, is_gone: bool) -> None:
    """What was known before says nothing of it any more, nor of another one of its name."""
    policy, candidates = pair()
    if is_gone:
        policy.forget("replica-1")
    else:
        candidates[1].returns += 1
    candidates[1].turn = 1
    asked, _ = seen(policy, messages=talk(LONG))
    assert policy.choose(candidates, asked).name == "replica-0"


def test_callers_who_are_cached_apart_share_nothing() -> None:
    """Only where the settings say that they are."""
    for isolates in (True, False):
        policy = Prefix(Balance(), isolates=isolates)
        known = []
        for caller in ("one", "two"):
            asked, body = seen(policy, messages=talk(LONG))
            asked.caller = Caller(caller)
            policy.look(asked, body)
            policy.choose([Candidate(name="replica-0")], asked)
            known.append(asked.known_blocks > 0)
        assert known == [False, not isolates]


def test_a_session_counts_before_the_prompt() -> None:
    """The replica of the conversation is preferred even to one that knows more of the prompt."""
    policy, candidates = pair()
    asked, _ = seen(policy, messages=talk(LONG))
    asked.prefers = "replica-0"
    assert policy.choose(candidates, asked).name == "replica-0"


def test_a_retry_is_known_where_it_went() -> None:
    """Both replicas have read the prompt then."""
    policy, candidates = pair()
    asked, _ = seen(policy, messages=talk(LONG))
    policy.choose(candidates, asked)
    policy.choose(candidates[:1], asked)
    policy.choose(candidates[:1], asked)
    assert asked.known_blocks == len(asked.blocks)
