"""The comparison as a whole."""

import os
from pathlib import Path

import pytest

from benchmarks import compare as command
from benchmarks import targets
from benchmarks.compare import SCENARIOS, Cores, compare, cores, main, quick
from benchmarks.load import Scenario
from vllm_gateway import codec

TINY = (
    Scenario("c2", "2 connections", connections=2, warm_s=0.05, measured_s=0.2),
    Scenario("live", "4 streams", connections=4, events=5, gap_ms=10, ramp_s=0.05, warm_s=0.05, measured_s=0.2),
)


def test_the_gateway_is_compared_with_the_replica_itself() -> None:
    """Every scenario runs on every target, in turns; there are figures, and nothing goes wrong."""
    compared = [targets.direct(), targets.gateway()]
    runs = list(compare(TINY, compared, repetitions=1, shared_out=cores(list(os.sched_getaffinity(0)))))
    assert [(run.target, run.scenario) for run in runs] == [
        ("direct", "c2"),
        ("direct", "live"),
        ("gateway", "c2"),
        ("gateway", "live"),
    ]
    for run in runs:
        seen = run.figures
        assert (seen.errors, seen.short, seen.unfinished) == (0, 0, 0)
        assert seen.requests_per_s
        assert seen.cpu_s_per_1000_requests is not None
        assert seen.peak_rss_mb
        if run.scenario == "live":
            assert seen.events_per_s
            assert seen.gap_p99_ms
            assert seen.cpu_s_per_100k_events is not None


def test_the_command_writes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names its files for the day and the purpose, and prints what it writes."""
    monkeypatch.setattr(command, "SCENARIOS", TINY)
    monkeypatch.setattr(command, "chosen_targets", lambda _: [targets.direct()])
    assert main(["--repetitions", "2", "--scenarios", "c2", "--what", "test", "--out", str(tmp_path)]) == 0
    (for_programs,) = tmp_path.glob("*-test.json")
    assert for_programs.with_suffix(".md").exists()
    document = codec.loads(for_programs.read_bytes())
    assert [(run["repetition"], run["scenario"]) for run in document["runs"]] == [(1, "c2"), (2, "c2")]
    assert "--what test" in document["circumstances"]["command"]


def test_a_mistake_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A peer that cannot be started is told before anything runs, and nothing is written."""
    assert main(["--quick", "--peer", "nonsense", "--out", str(tmp_path)]) == 1
    assert "is no peer" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("usable", "expected"), [([3, 1, 2], Cores(1, 2)), ([5], Cores(None, None))])
def test_the_target_has_a_core_of_its_own(usable: list[int], expected: Cores) -> None:
    """Client and replica share the next one; with one core nobody is bound to it."""
    assert cores(usable) == expected


def test_all_of_it_is_bounded_in_time() -> None:
    """Even when every last answer is waited for in vain, no run of three targets takes more than the promised time."""

    def longest_s(scenarios: tuple[Scenario, ...]) -> float:
        return sum(each.ramp_s + each.warm_s + each.measured_s + each.drain_s for each in scenarios)

    assert 3 * command.REPETITIONS * longest_s(SCENARIOS) < 600
    assert 3 * longest_s(tuple(map(quick, SCENARIOS))) < 90


def test_quick_streams_begin_evenly_spread() -> None:
    """In a quick run as in a full one, a stream is as long as the ramp."""
    for each in (*SCENARIOS, *map(quick, SCENARIOS)):
        if each.gap_ms:
            assert each.ramp_s == pytest.approx(each.events * each.gap_ms / 1000)
