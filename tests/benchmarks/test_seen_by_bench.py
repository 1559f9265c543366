"""A target as `vllm-gateway bench` sees it."""

import os
from pathlib import Path

from benchmarks import seen_by_bench, targets
from benchmarks.compare import cores


def test_the_streams_of_a_target_are_timed(tmp_path: Path) -> None:
    """All are answered, and the first token comes when the replica writes it."""
    with targets.pinned(cores(list(os.sched_getaffinity(0))).load), targets.replica(tmp_path) as replica:
        seen = seen_by_bench.ask(replica.port, 0.2, tmp_path)
    assert (seen.answered, seen.failed) == (20, 0)
    assert seen.ttft_p50_ms
    assert seen.ttft_p50_ms >= 19
    assert seen.itl_p99_ms


def test_what_is_no_result_is_nobodys_answer() -> None:
    """A run that ended in an error has no figures."""
    assert seen_by_bench.read(b"no server there") == seen_by_bench.NOTHING
