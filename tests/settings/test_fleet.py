"""Settings of the fleet: what they are when nobody says anything, and what is refused."""

import pytest
from pydantic import ValidationError

from vllm_gateway.settings.fleet import Balance, Discovery, Hedge, Probe, Resume, Retry, RouteSettings
from vllm_gateway.settings.section import Section


def test_streams_survive_and_nothing_is_asked_twice_by_default() -> None:
    """What costs nothing while all is well is on; what costs work is off."""
    assert Resume().enabled
    assert not Resume().seeded
    assert not Hedge().enabled
    assert Balance().policy == "least_busy"
    assert Discovery().file is None


def test_a_stalled_replica_is_out_within_fifteen_seconds_by_default() -> None:
    """The look before the stall, the stall itself, and the look that finds it, with the time that it may take."""
    probe = Probe()
    assert probe.stalled_s + probe.every_s + probe.timeout_s <= 15


def test_a_route_says_only_what_is_different() -> None:
    """All else is what holds for all."""
    assert RouteSettings() == RouteSettings(policy=None, first_token_s=None, idle_s=None)


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        (Balance, "policy", "random"),
        (Balance, "prefix_blocks", 10),
        (Retry, "attempts", 0),
        (Retry, "attempts", True),
        (Retry, "wait_s", -1),
        (Hedge, "percentile", 100),
        (Resume, "attempts", 6),
        (Probe, "panic_percent", 101),
        (Probe, "eject_s", 0),
        (Discovery, "file", ""),
    ],
)
def test_what_makes_no_sense_is_refused(section: type[Section], field: str, value: object) -> None:
    """Every number has its limits."""
    with pytest.raises(ValidationError):
        section.model_validate({field: value})
