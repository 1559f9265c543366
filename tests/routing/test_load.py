"""How busy a replica is, and what a request weighs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchanges import exchange
from tests.routing.candidates import CANDIDATES, Candidate, named
from vllm_gateway import codec
from vllm_gateway.routing.load import is_far_busier, least_busy, load_of, warm_one, work_of


def work(**fields: object) -> float:
    """Return what a body weighs."""
    return work_of(exchange().operation.read(codec.dumps({"model": "m", **fields})))


@given(CANDIDATES.filter(bool))
def test_a_busier_replica_is_never_the_least_busy_one(candidates: list[Candidate]) -> None:
    """Nobody has less work for its weight than the choice; of equals nobody has waited longer."""
    choice = least_busy(candidates)
    assert choice.load == min(candidate.load for candidate in candidates)
    equals = [candidate for candidate in candidates if candidate.load == choice.load]
    assert choice.turn == min(candidate.turn for candidate in equals)


def test_what_other_gateways_sent_counts() -> None:
    """The replica's own gauges tell of it."""
    assert load_of(Candidate(weight=2.0, work=3.0, others=5)) == 4.0
    mine, theirs = Candidate(work=2.0, name="mine"), Candidate(others=3, name="theirs")
    assert least_busy([theirs, mine]).name == "mine"


def test_a_warm_replica_is_preferred_until_it_is_far_busier() -> None:
    """Up to twice the work of the least busy one and four requests more."""
    for busy, expected in ((0, "warm"), (14, "warm"), (15, None)):
        warm, cold = Candidate(name="warm", work=busy), Candidate(name="cold", work=5)
        assert getattr(warm_one([cold, warm], "warm"), "name", None) == expected


@given(CANDIDATES, st.integers(0, 7))
def test_the_warm_one_is_there_or_nobody_is(candidates: list[Candidate], number: int) -> None:
    """A name that nobody has, or whose replica is far busier than the least busy one, means nobody."""
    preferred = f"replica-{number}"
    warm = warm_one(named(candidates), preferred)
    if warm is None:
        of_that_name = [candidate for candidate in candidates if candidate.name == preferred]
        assert all(is_far_busier(candidate, least_busy(candidates)) for candidate in of_that_name)
    else:
        assert warm.name == preferred


def test_an_ordinary_request_weighs_one() -> None:
    """A prompt of 4 KiB and an answer of 256 tokens, asked for or not."""
    said = [{"role": "user", "content": "x" * 4000}]
    assert work(messages=said) == 1.0
    assert work(messages=said, max_tokens=256) == 1.0


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_longer_answer_weighs_more(name: str) -> None:
    """Up to a thousand tokens: what may be asked beyond that is seldom used."""
    bodies: list[dict[str, object]] = [{name: tokens} for tokens in (1, 256, 512, 1024, 100_000)]
    weights = [work(messages=[], **body) for body in bodies]
    assert weights == sorted(weights)
    assert weights[0] < weights[1] < weights[2] < weights[3] == weights[4]


def test_several_answers_weigh_more_than_one() -> None:
    """Each of them takes a place."""
    assert work(messages=[], n=3) > work(messages=[])


@given(st.integers(0, 300_000), st.one_of(st.none(), st.integers(-5, 10**12), st.floats(), st.text()))
def test_work_is_bounded_and_sums_of_it_are_exact(size: int, tokens: object) -> None:
    """A replica that has answered everything has exactly nothing to do, whatever was asked."""
    asked = exchange("/v1/completions").operation.read(codec.dumps({"model": "m", "prompt": "x" * size}))
    asked.fields["max_tokens"] = tokens
    weight = work_of(asked)
    assert 0.5 <= weight <= 8
    total = 0.0
    for _ in range(10):
        total += weight
    for _ in range(10):
        total -= weight
    assert total == 0.0
