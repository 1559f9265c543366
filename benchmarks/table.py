"""Gateways side by side, in one run: the replica itself, nginx, ours with all it does, and those that are packages.

    python -m benchmarks.table              some fifteen minutes, written to benchmarks/results/
    python -m benchmarks.table --quick      some four minutes, written to reports/, for a first look

The packages of benchmarks/peers.txt are installed into ~/.cache/vllm-gateway/peers. Each target has a core of its own;
client and replica share another. Targets take turns, repetition by repetition. Linux only.
"""

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import columns, peers, report, seen_by_bench, targets
from benchmarks.accounting import ProcessGone, Watch
from benchmarks.columns import Column
from benchmarks.compare import RESULTS, SCENARIOS, SCRATCH, Cores, allow_open_files, cores, quick
from benchmarks.load import Scenario, measure
from benchmarks.report import Circumstances, Run
from benchmarks.seen_by_bench import Seen
from benchmarks.targets import NotStarted, Target
from vllm_gateway import codec
from vllm_gateway.settings.model import Settings

REPETITIONS = 3
BENCH_S, QUICK_BENCH_S = 6.0, 3.0
NEEDED = ("one", "c32", "c128", "live1000")


@dataclass(slots=True)
class Found:
    """What has been measured so far."""

    runs: list[Run] = field(default_factory=list)
    seen: list[tuple[str, Seen]] = field(default_factory=list)
    """By target, repetition after repetition."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why there is nothing, or not everything, of a target."""

    def columns(self, names: Iterable[str]) -> dict[str, Column]:
        """Return the medians of each target of which there is anything."""
        summaries = report.summaries(self.runs)
        found = {}
        for name in names:
            figures = {scenario: each for (scenario, target), each in summaries.items() if target == name}
            if figures:
                found[name] = Column(figures, columns.middle([each for target, each in self.seen if target == name]))
        return found


def ours() -> list[Target]:
    """Return the gateway with everything on, and once more without its express lane, where it has one."""
    edge = Settings.model_fields.get("edge")
    has_lane = edge is not None and "express" in getattr(edge.annotation, "model_fields", {})
    plain = [targets.whole_gateway("gateway, ASGI lane", {"edge": {"express": False}})] if has_lane else []
    return [targets.whole_gateway(), *plain]


def others(wanted: Sequence[str], missing: dict[str, str]) -> Iterator[Target]:
    """Install what is asked for, and give the targets; what cannot be had is told."""
    for package in peers.packages(peers.PINNED.read_text()):
        if package.name in wanted:
            print(f"# {package.requirement}", file=sys.stderr, flush=True)
            try:
                yield from peers.targets(package, peers.install(package, peers.WHERE))
            except peers.NotInstalled as error:
                missing[package.name] = str(error)


@dataclass(frozen=True, slots=True)
class Course:
    """What every target is put through, and where."""

    scenarios: Sequence[Scenario]
    bench_s: float
    cores: Cores


def course(*, is_quick: bool) -> Course:
    """Return the course; the quick one is good for a look, not for a record."""
    scenarios = [quick(each) if is_quick else each for each in SCENARIOS if each.name in NEEDED]
    return Course(scenarios, QUICK_BENCH_S if is_quick else BENCH_S, cores(list(os.sched_getaffinity(0))))


def run(compared: Sequence[Target], course: Course, found: Found) -> None:
    """Measure every target once; one that fails is told, and has no part in the rest."""
    repetition = max((each.repetition for each in found.runs), default=0) + 1
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch, targets.pinned(course.cores.load):
        for target in compared:
            if target.name in found.missing:
                continue
            print(f"# {repetition} {target.name}", file=sys.stderr, flush=True)
            try:
                _measure(target, course, found, Path(scratch), repetition)
            except (NotStarted, ProcessGone) as error:
                found.missing[target.name] = str(error)


def _measure(target: Target, course: Course, found: Found, folder: Path, repetition: int) -> None:
    """Take one target through the course; for the heaviest load it is started anew, for some are still busy by then."""

    def play(scenario: Scenario, port: int, watch: Watch) -> None:
        seen = measure(scenario, port=port, watch=watch)
        found.runs.append(Run(scenario.name, target.name, repetition, seen))

    *light, heaviest = course.scenarios
    with _ready(target, course, folder) as (port, watch):
        for scenario in light:
            play(scenario, port, watch)
        found.seen.append((target.name, seen_by_bench.ask(port, course.bench_s, folder)))
    with _ready(target, course, folder) as (port, watch):
        play(heaviest, port, watch)


@contextmanager
def _ready(target: Target, course: Course, folder: Path) -> Iterator[tuple[int, Watch]]:
    """Start a replica and the target before it; give the target's port and what watches both."""
    with (
        targets.replica(folder) as replica,
        targets.started(target, replica, folder, core=course.cores.target) as begun,
    ):
        yield begun.port, Watch(target=begun.pid, replica=replica.pid)


def markdown(what: Circumstances, found: Found, names: Sequence[str]) -> str:
    """Return the whole report."""
    by_target = found.columns(names)
    repetitions = max((run.repetition for run in found.runs), default=0)
    lines = [
        f"# {what.started}: gateways side by side, medians of {repetitions} interleaved repetitions",
        "",
        f"`{what.command}` at commit {what.commit}",
        "",
        f"* Machine: {what.cpu_model}, {what.cores} cores, Linux {what.kernel}",
        f"* Load average at the start: {', '.join(f'{load:.2f}' for load in what.load_average)}",
        f"* Versions: {', '.join(f'{name} {version}' for name, version in what.versions.items())}",
        "* Ours checks keys, keeps three limits, counts metrics, writes down usage and logs every request.",
        "* `direct` is the replica itself, and the CPU seconds in its column are those of the replica.",
        "* `bench` times the first token, which comes 20 ms after it was asked for; the other rows the first event.",
        "* Compare CPU seconds and ratios within this run; absolute speed belongs to this machine and this minute.",
        *(f"* {each}" for each in columns.limits(by_target)),
        *(f"* {name}: {why}" for name, why in found.missing.items()),
        "",
        columns.table(by_target),
        "",
        columns.standing(by_target),
    ]
    return "\n".join(lines).rstrip() + "\n"


def document(what: Circumstances, found: Found, names: Sequence[str]) -> Mapping[str, object]:
    """Return everything for programs: the medians, and every run."""
    return {
        "circumstances": asdict(what),
        "missing": found.missing,
        "columns": {name: asdict(each) for name, each in found.columns(names).items()},
        "runs": [asdict(run) for run in found.runs],
        "bench": [{"target": target, "figures": asdict(seen)} for target, seen in found.seen],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, compare, print the table, and write it down."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    asked = _asked(given)
    if not sys.platform.startswith("linux"):
        print("This benchmark reads Linux's /proc: run it on Linux.", file=sys.stderr)
        return 1
    allow_open_files()
    started, found = datetime.now(UTC), Found()
    limit = targets.nginx()
    compared = [targets.direct(), *([limit] if limit else []), *ours(), *others(asked.peers, found.missing)]
    if asked.only:
        compared = [each for each in compared if each.name in asked.only]
    way = course(is_quick=asked.quick)
    command = shlex.join(["python", "-m", "benchmarks.table", *given])
    what = report.circumstances(started, command=command, is_pinned=way.cores.target is not None)
    wanted = [each for each in peers.packages(peers.PINNED.read_text()) if each.name in asked.peers]
    what = replace(what, versions={**what.versions, **{each.name: each.version for each in wanted}})
    for _ in range(1 if asked.quick else asked.repetitions):
        run(compared, way, found)
    names = [each.name for each in compared]
    text = markdown(what, found, names)
    folder = asked.out or (SCRATCH if asked.quick else RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / f"{started:%Y-%m-%d}-table{'-quick' if asked.quick else ''}.md"
    written.write_text(text)
    written.with_suffix(".json").write_bytes(codec.dumps_pretty(document(what, found, names)))
    print(text)
    print(f"Written: {written}, {written.with_suffix('.json')}", file=sys.stderr)
    return 0


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [each.name for each in peers.packages(peers.PINNED.read_text())]
    parser.add_argument("--quick", action="store_true", help="one short repetition, written to reports/")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--peers", nargs="*", choices=names, default=names, help="packages to install and compare")
    parser.add_argument("--only", nargs="+", default=[], help="columns to measure, by their names")
    parser.add_argument("--out", type=Path, help="folder of the files [default: benchmarks/results]")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
