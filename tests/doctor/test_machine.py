"""The machine itself."""

from vllm_gateway.doctor.finding import Level
from vllm_gateway.doctor.machine import ENOUGH_FILES, look_at_clock, look_at_open_files, look_at_versions


def test_versions_are_named() -> None:
    """They are what a report of a defect needs first."""
    assert "Python 3.12.1" in look_at_versions((3, 12, 1)).says


def test_few_open_files_are_a_warning_that_says_how_far_they_reach() -> None:
    """Each stream takes two of them."""
    found = look_at_open_files(1024)
    assert (found.level, "462 streams" in found.says) == (Level.WARN, True)
    assert look_at_open_files(ENOUGH_FILES).level is Level.OK


def test_this_machine_is_looked_at_when_nothing_is_said() -> None:
    """Whatever its limit is, it is told."""
    assert look_at_open_files().says


def test_a_clock_that_stands_in_the_past_is_a_warning() -> None:
    """Keys would never end, and days never change."""
    assert look_at_clock(0.0).level is Level.WARN
    assert look_at_clock(1_800_000_000.0).level is Level.OK
