"""The comparison with other gateways as a whole."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import peers, seen_by_bench, table, targets
from benchmarks.compare import cores
from benchmarks.load import Scenario
from benchmarks.peers import NotInstalled
from benchmarks.seen_by_bench import Seen
from benchmarks.table import Course, Found, course, main
from benchmarks.targets import Target
from vllm_gateway import codec

TINY = Course(
    (
        Scenario("c32", "2 connections", connections=2, warm_s=0.05, measured_s=0.2),
        Scenario("live1000", "4 streams", connections=4, events=5, gap_ms=10, ramp_s=0.05, warm_s=0.05, measured_s=0.2),
    ),
    bench_s=0.1,
    cores=cores(list(os.sched_getaffinity(0))),
)
BROKEN = Target("broken", lambda _: [sys.executable, "-c", "raise SystemExit('no such option')"])


def test_every_target_takes_the_same_course() -> None:
    """The gateway with everything on answers all that the replica answers, and what cannot start is told."""
    found = Found()
    table.run([targets.direct(), BROKEN, targets.whole_gateway()], TINY, found)
    assert [(run.repetition, run.target, run.scenario) for run in found.runs] == [
        (1, "direct", "c32"),
        (1, "direct", "live1000"),
        (1, "gateway", "c32"),
        (1, "gateway", "live1000"),
    ]
    for run in found.runs:
        assert (run.figures.errors, run.figures.short, run.figures.unfinished) == (0, 0, 0)
    by_target = found.columns(["direct", "broken", "gateway"])
    assert list(by_target) == ["direct", "gateway"]
    for column in by_target.values():
        assert column.seen
        assert (column.seen.answered, column.seen.failed) == (10, 0)
    assert "no such option" in found.missing["broken"]


def test_what_has_failed_is_not_tried_again() -> None:
    """It would hold up every repetition."""
    found = Found(missing={"broken": "it ended"})
    table.run([BROKEN], TINY, found)
    assert found.missing == {"broken": "it ended"}
    assert found.runs == []


def test_the_command_writes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is for people, every run for programs; what could not be had is in both."""

    def refuse(*_: object) -> Path:
        raise NotInstalled("there is no network")

    monkeypatch.setattr(peers, "install", refuse)
    monkeypatch.setattr(table, "course", lambda **_: TINY)
    assert main(["--repetitions", "1", "--only", "direct", "--peers", "litellm", "--out", str(tmp_path)]) == 0
    (for_programs,) = tmp_path.glob("*-table.json")
    told = codec.loads(for_programs.read_bytes())
    assert list(told["columns"]) == ["direct"]
    assert told["missing"] == {"litellm": "there is no network"}
    for_people = for_programs.with_suffix(".md").read_text()
    assert "* litellm: there is no network" in for_people
    assert "| 32 connections: requests/s " in for_people


def test_the_medians_are_those_of_the_repetitions() -> None:
    """What `bench` saw of one target is not mixed with that of another."""
    seen = Seen(1.0, 2.0, 3.0, 10, 0)
    found = Found(seen=[("a", seen), ("b", replace(seen, ttft_p50_ms=9.0))])
    assert found.columns(["a", "b"]) == {}


def test_all_of_it_is_bounded_in_time() -> None:
    """Even when every last answer is waited for in vain, eight targets come to an end."""
    for is_quick, repetitions, most_s in ((True, 1, 480), (False, table.REPETITIONS, 1500)):
        way = course(is_quick=is_quick)
        each_s = way.bench_s + seen_by_bench.TIMEOUT_S
        each_s += sum(each.ramp_s + each.warm_s + each.measured_s + each.drain_s for each in way.scenarios)
        assert 8 * repetitions * each_s < most_s


def test_the_load_that_some_do_not_recover_from_comes_last() -> None:
    """A thousand streams leave nothing behind that a later figure would suffer from."""
    assert [each.name for each in course(is_quick=False).scenarios] == list(table.NEEDED)
    assert table.NEEDED[-1] == "live1000"
