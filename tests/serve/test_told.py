"""Counts that go on when a worker is gone."""

from pathlib import Path

from vllm_gateway.serve.told import Told
from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.series import Snapshot


def counted(number: int) -> Snapshot:
    """Return what a worker has counted, and what it is at."""
    return {of.ERRORS.name: {("a",): number}, of.INFLIGHT.name: {(): 3}}


def test_who_takes_a_workers_place_begins_where_it_was(tmp_path: Path) -> None:
    """What it was doing when it died is not inherited; what it had inherited itself is."""
    Told(tmp_path, number=0, count=2).tell(counted(5))
    next_one = Told(tmp_path, number=0, count=2)
    assert next_one.tell(counted(2)) == counted(7)
    assert next_one.tell(counted(4)) == counted(9)
    assert Told(tmp_path, number=0, count=2).tell(counted(1)) == counted(10)


def test_a_worker_that_is_away_is_told_of_by_what_it_told_last(tmp_path: Path) -> None:
    """Its counts do not go back; one that was never asked has none."""
    one, two, three = (Told(tmp_path, number=number, count=3) for number in range(3))
    two.tell(counted(5))
    assert one.of_absent({1}) == [{}]
    assert one.of_absent({2}) == [{of.ERRORS.name: {("a",): 5}}]
    assert three.of_absent({0, 1}) == []
