"""What the gateway costs: the same load on the replica itself, on the gateway, and on nginx, in one run.

    python -m benchmarks.compare            about five minutes
    python -m benchmarks.compare --quick    under a minute, for a first look

The target has a core of its own; client and replica share another. Targets take turns, repetition by repetition.
Linux only; nginx takes part when it is installed.
"""

import argparse
import os
import resource
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import report, targets
from benchmarks.accounting import ProcessGone, Watch
from benchmarks.load import Scenario, measure
from benchmarks.report import Run
from benchmarks.targets import NotStarted, Target

SCENARIOS = (
    Scenario("one", "1 connection, answers in one piece", connections=1, measured_s=3.0),
    Scenario("c32", "32 connections, answers in one piece", connections=32),
    Scenario("c128", "128 connections, answers in one piece", connections=128),
    Scenario("burst", "32 connections, streams of 64 tokens without a pause", connections=32, events=64),
    Scenario(
        "live200", "200 streams x 50 events/s", connections=200, events=100, gap_ms=20, ramp_s=2.0, measured_s=5.0
    ),
    Scenario(
        "live1000", "1,000 streams x 50 events/s", connections=1000, events=100, gap_ms=20, ramp_s=2.0, measured_s=5.0
    ),
)
REPETITIONS = 3
OPEN_FILES = 8192
"""Two connections per stream, and room to spare."""
RESULTS = Path(__file__).resolve().parent / "results"
SCRATCH = Path(__file__).resolve().parents[1] / "reports"


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core the target has, and which one client and replica share; None where there is but one."""

    target: int | None
    load: int | None


def quick(scenario: Scenario) -> Scenario:
    """Return the scenario with less time; good for a look, not for a record."""
    shorter = replace(scenario, warm_s=0.2, measured_s=0.8, drain_s=3.0)
    if not scenario.gap_ms:
        return shorter
    # Streams as long as the ramp and the measurement: they begin evenly spread, and the window sees each begin once.
    return replace(shorter, events=800 // scenario.gap_ms, ramp_s=0.8)


def cores(usable: Sequence[int]) -> Cores:
    """Return how the cores are shared out."""
    first, *others = sorted(usable)
    return Cores(target=first, load=others[0]) if others else Cores(None, None)


def compare(
    scenarios: Sequence[Scenario], compared: Sequence[Target], *, repetitions: int, shared_out: Cores
) -> Iterator[Run]:
    """Run every scenario on every target, in turns, and give each result when it is there."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch, targets.pinned(shared_out.load):
        folder = Path(scratch)
        for repetition in range(1, repetitions + 1):
            for target in compared:
                with (
                    targets.replica(folder) as replica,
                    targets.started(target, replica, folder, core=shared_out.target) as started,
                ):
                    watch = Watch(target=started.pid, replica=replica.pid)
                    for scenario in scenarios:
                        yield Run(
                            scenario.name, target.name, repetition, measure(scenario, port=started.port, watch=watch)
                        )


def chosen_targets(peers: Sequence[str]) -> list[Target]:
    """Return who is compared: nginx only where it is installed."""
    limit = targets.nginx()
    return [targets.direct(), *([limit] if limit else []), targets.gateway(), *map(targets.peer, peers)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print the tables, and write them down."""
    asked = _asked(sys.argv[1:] if arguments is None else arguments)
    if not sys.platform.startswith("linux"):
        print("This benchmark reads Linux's /proc: run it on Linux.", file=sys.stderr)
        return 1
    scenarios = [each for each in SCENARIOS if each.name in asked.scenarios]
    if asked.quick:
        scenarios = [quick(each) for each in scenarios]
    allow_open_files()
    started = datetime.now(UTC)
    shared_out = cores(list(os.sched_getaffinity(0)))
    command = shlex.join(["python", "-m", "benchmarks.compare", *(sys.argv[1:] if arguments is None else arguments)])
    what = report.circumstances(started, command=command, is_pinned=shared_out.target is not None)
    runs = []
    try:
        compared = chosen_targets(asked.peer)
        repetitions = 1 if asked.quick else asked.repetitions
        for run in compare(scenarios, compared, repetitions=repetitions, shared_out=shared_out):
            print(f"# {run.repetition} {run.target} {run.scenario}", file=sys.stderr, flush=True)
            runs.append(run)
    except (NotStarted, ProcessGone, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    name = f"{started:%Y-%m-%d}-{'quick' if asked.quick else asked.what}"
    written = report.write(asked.out or (SCRATCH if asked.quick else RESULTS), name, what, scenarios, runs)
    print(report.markdown(what, scenarios, runs))
    print(f"Written: {', '.join(map(str, written))}", file=sys.stderr)
    return 0


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [each.name for each in SCENARIOS]
    parser.add_argument("--quick", action="store_true", help="one short repetition, written to reports/")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--scenarios", nargs="+", choices=names, default=names)
    parser.add_argument("--peer", action="append", default=[], help="name='command with {port} and {replica}'")
    parser.add_argument("--what", default="compare", help="what the files are named for, after the date")
    parser.add_argument("--out", type=Path, help="folder of the files [default: benchmarks/results]")
    return parser.parse_args(arguments)


def allow_open_files() -> None:
    """Raise the limit of open files, as far as the system lets us; what is started here inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


if __name__ == "__main__":
    sys.exit(main())
