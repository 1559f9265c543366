"""Large fleets on paper."""

import pytest

from benchmarks import capacity


def test_every_request_is_placed_and_its_choice_costs_something() -> None:
    """Each policy answers all of them; the table has a row for each."""
    rows = [capacity.measure(10, name, seconds=2) for name in capacity.POLICIES]
    assert [row.choices for row in rows] == [200] * 3
    assert all(row.most_at_once > 150 and row.choosing_us > 0 for row in rows)
    assert [row.count("|") for row in capacity.table(rows).splitlines()] == [7] * 5


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """For the fleets that are asked for."""
    capacity.main(["--replicas", "3", "--seconds", "1"])
    assert capsys.readouterr().out.count("| 3 |") == len(capacity.POLICIES)
