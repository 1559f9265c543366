"""What the routes of the gateway cost, with all that it does for a request, and what limits in Redis add.

    python -m benchmarks.routes             a minute and a half, written to benchmarks/results/
    python -m benchmarks.routes --quick     some twenty seconds, written to reports/

32 connections, answers in one piece, one gateway process on a core of its own; client and replica share another.
`benchmarks.turns` does the same for the turns of sessions. Redis takes part when it is installed. Linux only.
"""

import argparse
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import columns, report, targets
from benchmarks.accounting import Watch
from benchmarks.compare import RESULTS, SCRATCH, Cores, cores, quick
from benchmarks.figures import Figures
from benchmarks.load import Scenario, measure
from benchmarks.report import Circumstances, Run
from benchmarks.targets import NotStarted
from vllm_gateway import codec
from vllm_gateway.clock import SystemClock

REPETITIONS = 3
CONNECTIONS = 32
_LIMITS = {"requests_per_minute": 1_000_000_000, "tokens_per_minute": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Way:
    """A route, and where the gateway before it counts."""

    scenario: Scenario
    redis: bool = False


def ways(*, has_redis: bool) -> list[Way]:
    """Return what is measured."""
    plain = Scenario("/v1/chat/completions", "", connections=CONNECTIONS)
    found = [
        Way(plain),
        Way(replace(plain, name="/chat", path="/chat")),
        Way(replace(plain, name="/api/chat", path="/api/chat", extra={"stream": False})),
    ]
    if has_redis:
        found.append(Way(replace(plain, name="/v1/chat/completions, limits in Redis"), redis=True))
    return found


@contextmanager
def redis(program: str | None, core: int | None) -> Iterator[str]:
    """Run Redis beside the client, and give its address; an empty one without Redis."""
    if program is None:
        yield ""
        return
    port = targets.free_port()
    with targets.pinned(core):
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    latest = SystemClock.now() + targets.START_S
    while SystemClock.now() < latest:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise NotStarted("Redis does not listen.")


def play(measured: Sequence[Way], repetition: int, shared_out: Cores, *, redis_url: str) -> Iterator[Run]:
    """Measure every way once, each on a gateway of its own."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch, targets.pinned(shared_out.load):
        folder = Path(scratch)
        for way in measured:
            shared = {"limits": {**_LIMITS, "backend": "redis"}, "state": {"redis_url": redis_url}}
            ours = targets.whole_gateway("gateway", shared if way.redis else {})
            with (
                targets.replica(folder) as replica,
                targets.started(ours, replica, folder, core=shared_out.target) as begun,
            ):
                watch = Watch(target=begun.pid, replica=replica.pid)
                yield Run(way.scenario.name, ours.name, repetition, measure(way.scenario, port=begun.port, watch=watch))


def table(summaries: Mapping[str, Figures]) -> str:
    """Return the figures as a Markdown table: a row for each way."""
    rows = [["", "requests/s", "CPU s per 1,000", "p50 ms", "p99 ms", "core of the gateway", "failed"]]
    for name, each in summaries.items():
        busy = "-" if each.target_busy is None else f"{each.target_busy:.0%}"
        figures = (each.requests_per_s, each.cpu_s_per_1000_requests, each.p50_ms, each.p99_ms)
        rows.append([name, *map(columns.shown, figures), busy, str(each.errors + each.unfinished)])
    return columns.markdown(rows)


def markdown(what: Circumstances, runs: Sequence[Run]) -> str:
    """Return the whole report."""
    summaries = {name: each for (name, _), each in report.summaries(runs).items()}
    lines = [
        f"# {what.started}: routes, medians of {max((run.repetition for run in runs), default=0)} repetitions",
        "",
        f"`{what.command}` at commit {what.commit}",
        "",
        f"* Machine: {what.cpu_model}, {what.cores} cores, Linux {what.kernel}",
        f"* Load average at the start: {', '.join(f'{load:.2f}' for load in what.load_average)}",
        "* Keys, limits, metrics, usage and the log of requests are on.",
        *(f"* {each}" for each in columns.limits({"gateway": columns.Column(summaries, None)})),
        "",
        table(summaries),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it down."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short repetition, written to reports/")
    parser.add_argument("--out", type=Path, help="folder of the files [default: benchmarks/results]")
    asked = parser.parse_args(given)
    started, shared_out = datetime.now(UTC), cores(list(os.sched_getaffinity(0)))
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    measured = ways(has_redis=program is not None)
    if asked.quick:
        measured = [replace(each, scenario=quick(each.scenario)) for each in measured]
    command = shlex.join(["python", "-m", "benchmarks.routes", *given])
    what = report.circumstances(started, command=command, is_pinned=shared_out.target is not None)
    runs: list[Run] = []
    try:
        with redis(program, shared_out.load) as url:
            for repetition in range(1, (1 if asked.quick else REPETITIONS) + 1):
                runs += play(measured, repetition, shared_out, redis_url=url)
    except NotStarted as error:
        print(error, file=sys.stderr)
        return 1
    folder = asked.out or (SCRATCH if asked.quick else RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / f"{started:%Y-%m-%d}-routes{'-quick' if asked.quick else ''}.md"
    written.write_text(markdown(what, runs))
    document = {"circumstances": asdict(what), "runs": [asdict(run) for run in runs]}
    written.with_suffix(".json").write_bytes(codec.dumps_pretty(document))
    print(written.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
