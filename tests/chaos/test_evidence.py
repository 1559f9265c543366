"""What the replicas saw."""

from collections.abc import AsyncIterator

import pytest

from vllm_gateway.chaos import evidence
from vllm_gateway.chaos.caller import Heard
from vllm_gateway.chaos.fleet import CHAT, Fleet, calm, fleet
from vllm_gateway.chaos.judging import Grade, Verdict
from vllm_gateway.sim import RunningSim
from vllm_gateway.sim.journal import RequestSeen


@pytest.fixture
async def both() -> AsyncIterator[Fleet]:
    """Two replicas that nobody asks."""
    async with calm() as undisturbed, fleet(undisturbed, (0, 0)) as made:
        yield made


def saw(sim: RunningSim, at: float, body: bytes = b"", *, fault: str | None = None, tokens: int = 0) -> RequestSeen:
    """Let a replica have seen a request."""
    log = sim.log
    seen = log.request_began(log.connection_opened(at), "POST", CHAT, [], at)
    seen.body, seen.fault, seen.tokens = body, fault, tokens
    seen.fault_at = None if fault is None else at + 0.01
    return seen


async def test_a_silence_is_counted_from_the_fault(both: Fleet) -> None:
    """The longest one behind the fault counts, not what was on its way; where no byte follows, the end does."""
    saw(both.replicas[0], 1.0, b"(case a-1)", fault="stall")
    saw(both.replicas[1], 2.0, b"(case a-2)", fault="stall")
    saw(both.replicas[1], 3.0, b"(case a-3)")
    heard = {
        "(case a-1)": Heard(0.1, arrivals=[0.2, 1.0, 1.02, 1.52, 1.6], ended_at=2.0),
        "(case a-2)": Heard(0.9, arrivals=[1.0], ended_at=3.01),
        "(case a-3)": Heard(0.9, arrivals=[5.0], ended_at=5.0),
    }
    assert evidence.silences_s(both, heard) == pytest.approx([0.5, 1.0])


async def test_faults_are_counted(both: Fleet) -> None:
    """A request meets its own fault or the crash of its replica; a caller who leaves meets none."""
    saw(both.replicas[0], 1.0, fault="stall")
    for closed_by in ("fault", "caller"):
        seen = saw(both.replicas[1], 2.0)
        seen.gone_at, seen.connection.closed_by = 2.1, closed_by
    saw(both.replicas[1], 3.0)
    assert evidence.faults_met(both) == 2


async def test_impatience_is_asking_again_before_the_time(both: Fleet) -> None:
    """Requests that were on their way when the refusal came are forgiven, as are those after the time."""
    first = both.replicas[0]
    for at in (1.0, 1.05, 2.1):
        saw(first, at, fault="status=429:1")
    assert evidence.impatience(both) == []
    saw(first, 2.5, fault="status=429:1")
    assert evidence.impatience(both) == [Verdict(Grade.PARTIAL, "asked 1 times before Retry-After was over")]


async def test_a_refusal_is_to_be_asked_once(both: Fleet) -> None:
    """A mark that reached the replicas twice was tried again."""
    saw(both.replicas[0], 1.0, b"(case c-1)")
    assert evidence.asked_again(both, ["(case c-1)"]) == []
    saw(both.replicas[1], 1.1, b"(case c-1)")
    assert evidence.asked_again(both, ["(case c-1)", "(case c-2)"]) == [
        Verdict(Grade.PARTIAL, "1 refused requests were tried again")
    ]


async def test_a_replica_is_busy_when_it_makes_tokens(both: Fleet) -> None:
    """One that only refuses is not at work."""
    saw(both.replicas[0], 1.0, tokens=5)
    saw(both.replicas[1], 1.0, fault="filter")
    assert evidence.busy_replicas(both) == 1
