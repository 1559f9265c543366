"""What open connections cost on which nothing is asked: `python -m benchmarks.idle [--connections 10000]`.

Each is opened, asks once, and stays. Memory is told for each of them; CPU time while all are quiet; and what requests
on other connections cost, with them and without. nginx takes part when it is on the PATH. Linux only, and `ulimit -n`
must allow so many files and some more, here and in the targets.
"""

import argparse
import asyncio
import resource
import tempfile
from pathlib import Path

import uvloop
from typing_extensions import override

from benchmarks import targets
from benchmarks.accounting import Watch
from benchmarks.figures import Figures
from benchmarks.load import Load, Scenario, request
from benchmarks.targets import Started, Target

_AT_ONCE = 100
_QUIET_S = 10.0
_PATIENCE_S = 30.0
_SPARE_FILES = 200
_HEAD = "| | memory before, MB | KB each: at first, then | quiet, CPU ms/s | CPU s per 1,000 requests | p50, p99 ms |"


class Guest(asyncio.Protocol):
    """A connection that asks once and stays."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()
        self.is_open = True

    @override
    def data_received(self, data: bytes) -> None:
        self.answered.set()  # the canned answer is smaller than one read

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self.answered.set()


async def settle(asked: bytes, port: int, connections: int) -> list[tuple[asyncio.Transport, Guest]]:
    """Open so many connections and have each answered once."""
    loop, found = asyncio.get_running_loop(), []
    for begin in range(0, connections, _AT_ONCE):
        count = min(_AT_ONCE, connections - begin)
        some = [await loop.create_connection(Guest, "127.0.0.1", port) for _ in range(count)]
        for transport, _ in some:
            transport.write(asked)
        async with asyncio.timeout(_PATIENCE_S):
            for _, guest in some:
                await guest.answered.wait()
        found += some
    return found


async def quiet_ms(watch: Watch) -> float:
    """Return the CPU time, in milliseconds, that a second takes in which nobody asks anything."""
    before = watch.sample()
    await asyncio.sleep(_QUIET_S)
    after = watch.sample()
    return (after.target_cpu_s - before.target_cpu_s) / (after.at_s - before.at_s) * 1000


async def visit(name: str, running: Started, watch: Watch, connections: int) -> None:
    """Print the two rows of one target."""
    scenario = Scenario("c32", "32 connections, answers in one piece", connections=32, measured_s=4.0)
    asked = request(scenario, running.port)
    alone = await Load(scenario, running.port).run(watch)
    before, quiet = watch.rss_bytes(), await quiet_ms(watch)
    print(f"| {name} | {before / 1e6:.0f} | | {quiet:.1f} | {_told(alone)} |", flush=True)
    guests = await settle(asked, running.port, connections)
    opened, quiet, after = watch.rss_bytes(), await quiet_ms(watch), watch.rss_bytes()
    beside = await Load(scenario, running.port).run(watch)
    staying = sum(guest.is_open for _, guest in guests)
    each = [(size - before) / connections / 1000 for size in (opened, after)]
    memory = f"{before / 1e6:.0f} | {each[0]:.1f}, {each[1]:.1f}"
    print(f"| {name}, {staying:,} idle | {memory} | {quiet:.1f} | {_told(beside)} |", flush=True)
    for transport, _ in guests:
        transport.abort()


def _told(figures: Figures) -> str:
    return f"{figures.cpu_s_per_1000_requests:.3f} | {figures.p50_ms:.1f}, {figures.p99_ms:.1f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    connections = parser.parse_args().connections
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if connections + _SPARE_FILES > allowed:
        parser.error(f"ulimit -n allows {allowed:,} files; {connections:,} connections need {_SPARE_FILES} more.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    found: list[Target | None] = [targets.nginx(), targets.whole_gateway()]
    print(f"{_HEAD}\n|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name, targets.pinned(1), targets.replica(Path(name)) as behind:
        for target in filter(None, found):
            with targets.started(target, behind, Path(name), core=0) as running:
                watch = Watch(target=running.pid, replica=behind.pid)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(visit(target.name, running, watch, connections))


if __name__ == "__main__":
    main()
