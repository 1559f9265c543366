"""When a replica is fit to be asked."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from vllm_gateway.upstream.health import EJECTING, FAILURES_IN_A_ROW, Ejecting, Health, Sign, State

BAD = [Sign.FAILED, Sign.PROBE_FAILED]
FINAL = [Sign.UNREACHABLE, Sign.STALLED]
GOOD = [Sign.PROBE_ANSWERED, Sign.PROGRESSED]
SIGNS = st.lists(st.sampled_from(Sign), max_size=12)
LEAST_S, MOST_S = EJECTING.least_s, EJECTING.most_s
LONG_S = 100_000.0


def after(signs: list[Sign], health: Health | None = None, *, at: float = 0.0) -> Health:
    """Return what is held after all these signs, which come at once."""
    held = health or Health()
    for sign in signs:
        held = held.after(sign, at)
    return held


WELL = after([Sign.PROBE_ANSWERED])
EJECTED = after([Sign.FAILED] * FAILURES_IN_A_ROW, WELL)
HALF_OPEN = EJECTED.after(Sign.PROBE_ANSWERED, LEAST_S)


def test_nothing_is_known_of_a_new_replica() -> None:
    """It is not asked before it was seen to be well, however often it fails meanwhile."""
    assert not Health().is_usable
    assert not after([Sign.PROBE_FAILED] * 5).is_usable
    assert not after([Sign.UNREACHABLE, Sign.ANSWERED]).is_usable


@given(signs=st.lists(st.sampled_from([*BAD, *FINAL]), max_size=12), good=st.sampled_from(GOOD))
def test_a_new_replica_comes_in_with_its_first_answered_probe(signs: list[Sign], good: Sign) -> None:
    """However long it took to start, nobody has been let down by it yet."""
    assert after([*signs, good]).state is State.CLOSED


@pytest.mark.parametrize("sign", BAD)
def test_three_bad_signs_in_a_row_eject(sign: Sign) -> None:
    """Two may be the doing of two requests."""
    assert FAILURES_IN_A_ROW == 3
    assert (after([sign] * 2, WELL).state, after([sign] * 2, WELL).failures) == (State.CLOSED, 2)
    assert (after([sign] * 3, WELL).state, after([sign] * 3, WELL).failures) == (State.OPEN, 3)


def test_bad_signs_count_together() -> None:
    """A failed request and failed probes speak of the same replica; an answer wipes them out."""
    assert not after([Sign.FAILED, Sign.PROBE_FAILED, Sign.FAILED], WELL).is_usable
    assert after([Sign.FAILED, Sign.FAILED, Sign.ANSWERED, Sign.FAILED, Sign.FAILED], WELL).is_usable


@pytest.mark.parametrize("good", GOOD)
def test_an_answered_probe_wipes_out_failed_probes_and_no_failed_requests(good: Sign) -> None:
    """`/health` says 200 of an engine that fails at every request."""
    assert not after([Sign.FAILED, good, Sign.FAILED, good, Sign.FAILED], WELL).is_usable
    assert after([Sign.PROBE_FAILED, Sign.PROBE_FAILED, good, Sign.PROBE_FAILED], WELL).failures == 1


@given(SIGNS)
def test_having_too_much_to_do_is_no_bad_sign_and_no_good_one(signs: list[Sign]) -> None:
    """It says nothing of health, in whatever state."""
    held = after(signs)
    assert held.after(Sign.OVERLOADED, 1) == held


@given(SIGNS, st.sampled_from(FINAL))
def test_one_sign_is_enough_when_every_request_would_fail(signs: list[Sign], sign: Sign) -> None:
    """Nothing listens there, or nothing moves."""
    assert not after([*signs, sign]).is_usable


def test_a_replica_that_was_started_again_is_in_at_once() -> None:
    """Its connections broke, then nothing listened, then it says that it is well: that is a new process."""
    killed = after([Sign.FAILED] * 20 + [Sign.UNREACHABLE] * 3, WELL, at=50)
    assert killed.after(Sign.PROBE_ANSWERED, 50.2).state is State.CLOSED


@pytest.mark.parametrize("causes", [[Sign.FAILED] * 3, [Sign.PROBE_FAILED] * 3, [Sign.STALLED]])
def test_an_ejected_replica_is_tried_by_one_request_when_its_time_is_over(causes: list[Sign]) -> None:
    """Not before, and only after it has answered a probe; while one tries it, nobody else does."""
    held = after(causes, WELL, at=100)
    assert not held.after(Sign.PROBE_ANSWERED, 100 + LEAST_S - 0.01).is_usable
    held = held.after(Sign.PROBE_ANSWERED, 100 + LEAST_S)
    assert (held.state, held.is_usable) == (State.HALF_OPEN, True)
    assert not held.tried().is_usable
    assert held.tried().after(Sign.PROBE_ANSWERED, 103) == held.tried()


def test_the_request_that_tries_it_decides() -> None:
    """An answer brings it in; a failure puts it out for twice as long; without a verdict another may try."""
    tried = HALF_OPEN.tried()
    assert tried.after(Sign.ANSWERED, 3).state is State.CLOSED
    failed = tried.after(Sign.FAILED, 3)
    assert (failed.state, failed.ejected_s, failed.until) == (State.OPEN, 2 * LEAST_S, 3 + 2 * LEAST_S)
    assert tried.untried() == HALF_OPEN


def test_a_long_stream_need_not_end_to_bring_it_in() -> None:
    """Tokens are being made: that is what was to be seen."""
    assert HALF_OPEN.tried().after(Sign.PROGRESSED, 3).state is State.CLOSED
    assert HALF_OPEN.after(Sign.PROGRESSED, 3) == HALF_OPEN


def test_an_old_request_that_comes_to_its_end_brings_nobody_back() -> None:
    """It was begun before the replica went bad."""
    assert EJECTED.after(Sign.ANSWERED, 1) == EJECTED
    assert HALF_OPEN.after(Sign.ANSWERED, 3) == HALF_OPEN


@pytest.mark.parametrize("sign", [*BAD, *FINAL])
def test_one_that_is_half_open_needs_only_one_bad_sign(sign: Sign) -> None:
    """It has its chance from being tried, not from being forgiven."""
    assert HALF_OPEN.after(sign, 3).ejected_s == 2 * LEAST_S


def test_a_flapping_replica_is_tried_more_and_more_seldom() -> None:
    """One second up, one second down, for half an hour: the pauses double up to the longest."""
    held, ins = Health(), []
    for second in range(1800):
        before = held
        held = held.after(Sign.UNREACHABLE if second % 2 else Sign.PROBE_ANSWERED, second)
        if held.is_usable and not before.is_usable:
            ins.append(second)
    pauses = [later - earlier for earlier, later in pairwise(ins)]
    assert pauses[0] == 2
    assert pauses == sorted(pauses)
    assert MOST_S <= pauses[-1] <= MOST_S + 2
    assert len(ins) < 25


def test_a_long_good_time_is_forgiveness() -> None:
    """What happened before the weekend does not count on Monday."""
    held = after([Sign.FAILED] * 3, HALF_OPEN.tried().after(Sign.ANSWERED, 3), at=4)
    assert held.ejected_s == 2 * LEAST_S
    held = held.after(Sign.PROBE_ANSWERED, 20).tried().after(Sign.ANSWERED, 20)
    assert after([Sign.FAILED] * 3, held, at=LONG_S).ejected_s == LEAST_S


@pytest.mark.parametrize(
    ("health", "is_doubtful"),
    [
        (Health(), False),
        (WELL, False),
        (EJECTED, True),
        (after([Sign.PROBE_FAILED] * 3, WELL), True),
        (HALF_OPEN.tried(), True),
        (EJECTED.after(Sign.UNREACHABLE, 1), False),
        (EJECTED.after(Sign.STALLED, 1), False),
        (EJECTED.after(Sign.UNREACHABLE, 1).after(Sign.PROBE_FAILED, 1), False),
    ],
)
def test_only_failures_leave_a_doubt(health: Health, is_doubtful: bool) -> None:
    """Somebody who cannot be reached, stands still or was never well is not asked in a panic either."""
    assert health.is_doubtful is is_doubtful


class Breaker(RuleBasedStateMachine):
    """Any order of signs, trials and pauses."""

    LIMITS = Ejecting(least_s=1.0, most_s=10.0)

    def __init__(self) -> None:
        super().__init__()
        self.health = Health()
        self.now = 0.0
        self.out_until = 0.0
        self.trials = 0

    @rule(sign=st.sampled_from(Sign))
    def sign(self, sign: Sign) -> None:
        """Something is seen."""
        before, self.health = self.health, self.health.after(sign, self.now, self.LIMITS)
        if self.health.state is State.OPEN and before.state is not State.OPEN:
            restarts = sign is Sign.UNREACHABLE and self.health.ejected_s == self.LIMITS.least_s
            self.out_until = self.now if restarts else self.health.until
        if sign is Sign.UNREACHABLE and self.health.ejected_s <= self.LIMITS.least_s:
            self.out_until = self.now
        if before.is_tried and not self.health.is_tried:
            self.trials = 0
        if self.health.state is not State.CLOSED and before.ejected_s and before.state is not State.CLOSED:
            assert self.health.failures > 0

    @rule(seconds=st.sampled_from([0.1, 0.6, 1.0, 5.0, 50.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @precondition(lambda self: self.health.is_usable)
    @rule()
    def ask(self) -> None:
        """A request is sent."""
        after = self.health.tried()
        self.trials += after is not self.health
        self.health = after

    @precondition(lambda self: self.trials)
    @rule()
    def leave(self) -> None:
        """The caller of the request that tries it leaves."""
        self.health = self.health.untried()
        self.trials = 0

    @invariant()
    def stays_out(self) -> None:
        """Nobody is asked while its time is not over."""
        assert self.now >= self.out_until or not self.health.is_usable

    @invariant()
    def has_one_trial(self) -> None:
        """One request at most tries it."""
        assert self.trials <= 1
        assert self.health.is_tried <= (self.health.state is State.HALF_OPEN)

    @invariant()
    def is_bounded(self) -> None:
        """No pause is longer than the longest."""
        assert self.health.ejected_s <= self.LIMITS.most_s
        assert self.health.until <= self.now + self.LIMITS.most_s

    @invariant()
    def recovers(self) -> None:
        """An answered probe after the longest pause, and an answered request, bring anybody back."""
        later = self.now + self.LIMITS.most_s
        held = self.health.untried().after(Sign.PROBE_ANSWERED, later, self.LIMITS)
        assert held.is_usable
        assert held.tried().after(Sign.ANSWERED, later, self.LIMITS).state is State.CLOSED

    @override
    def teardown(self) -> None:
        """Nothing is left running."""


TestBreaker = Breaker.TestCase
