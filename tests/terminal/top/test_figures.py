"""Numbers as people read them."""

import pytest

from vllm_gateway.terminal.top.figures import count, duration, percent


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"),
        (0, "0"),
        (0.25, "0.2"),
        (7, "7"),
        (9.94, "9.9"),
        (9.96, "10"),
        (999.4, "999"),
        (999.6, "1.0k"),
        (1234, "1.2k"),
        (9960, "10k"),
        (999_600, "1.0M"),
        (5_600_000, "5.6M"),
        (7_000_000_000, "7.0G"),
        (7_000_000_000_000, "7000G"),
    ],
)
def test_counts_are_short(value: float | None, told: str) -> None:
    """Four characters for nearly all; two digits that mean something."""
    assert count(value) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "-"),
        (0, "0.0ms"),
        (0.0004, "0.4ms"),
        (0.084, "84ms"),
        (0.9994, "999ms"),
        (0.9996, "1.0s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (306, "5m06s"),
        (7620, "2h07m"),
    ],
)
def test_durations_have_the_unit_that_fits(seconds: float | None, told: str) -> None:
    """What rounds up to the next unit is told in that."""
    assert duration(seconds) == told


def test_shares_are_per_cent() -> None:
    """Never more than all; unknown is not nothing."""
    assert [percent(share) for share in (None, 0, 0.424, 1, 1.2)] == ["-", "0%", "42%", "100%", "100%"]
