"""The scenarios, as data."""

from vllm_gateway.chaos.scenarios import GENERAL, SCENARIOS
from vllm_gateway.sim.faults.grammar import parse_all


def test_there_are_sixteen_of_different_names() -> None:
    """Each scenario can be named, and says what breaks and what is wanted in sentences."""
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS) == 16
    assert all(each.broken.endswith(".") and each.wanted.endswith(".") for each in SCENARIOS)
    assert max(len(each.title) for each in SCENARIOS) <= 28


def test_their_faults_can_be_played() -> None:
    """Every fault is one that a replica knows, wherever in the answer it happens."""
    for each in SCENARIOS:
        for fault in (*each.faults, *each.everywhere):
            assert parse_all(fault.format(k=7))


def test_every_grade_is_explained() -> None:
    """What pass, partial, safe and fail mean is said."""
    assert list(GENERAL) == ["pass", "partial", "safe", "fail"]
