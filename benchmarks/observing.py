"""What it costs to observe: `python -m benchmarks.observing [--only cost|waits|whole] [--repetitions N]`.

The first table is CPU time of single steps, in one process without sockets. The second is how long the loop waits for
the thread that sends spans; the collector is in the same process there, and makes it worse. The third is CPU time of
the whole gateway, its threads included, under load: with nothing noted but the metrics, with each of the others, and
with all of them. Targets take turns, repetition by repetition. Linux only.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import targets
from benchmarks.accounting import Watch
from benchmarks.figures import Figures, summary
from benchmarks.load import Scenario, measure
from benchmarks.targets import Place, Target
from vllm_gateway.callers import Caller
from vllm_gateway.clock import SystemClock
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.edge.telling import head_told
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.settings.model import Tracing
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.logs.line import line_of
from vllm_gateway.telemetry.metrics.requests import Requests
from vllm_gateway.telemetry.tracing.recording import Recording
from vllm_gateway.telemetry.tracing.sending import OtelOutlet
from vllm_gateway.telemetry.tracing.spans import spans_of, story_of
from vllm_gateway.telemetry.usage.record import record_of
from vllm_gateway.trail import Call, Trail

GROUPS, CALLS = 200, 200
_SENT, _BATCHES = 32, 50
_RATES, _LATE_S, _NAP_S = (0, 200, 1000), 4.0, 0.002
SCENARIOS = (
    Scenario("c32", "32 connections, answers in one piece", connections=32, measured_s=3.0),
    Scenario(
        "burst", "32 connections, streams of 64 tokens without a pause", connections=32, events=64, measured_s=3.0
    ),
)
_CHAT = "/v1/chat/completions"
_BODY = (
    b'{"model":"tiny","messages":[{"role":"user","content":"Hello"}],"temperature":0.7,"max_tokens":64,"stream":true}'
)
_NO_LOG = "log: {requests: false}\n"
_LOG = "log: {format: json}\n"
_USAGE = "usage: {backend: sqlite, path: usage.sqlite}\n"
_TRACES = "tracing: {enabled: true}\n"
MODES: dict[str, tuple[str, str]] = {
    "metrics only": (_NO_LOG, "always_on"),
    "and the log": (_LOG, "always_on"),
    "and the usage ledger": (_NO_LOG + _USAGE, "always_on"),
    "and traces, none sampled": (_NO_LOG + _TRACES, "always_off"),
    "and traces, all sampled": (_NO_LOG + _TRACES, "always_on"),
    "everything": (_LOG + _USAGE + _TRACES, "always_on"),
}
"""The settings of each, and OpenTelemetry's sampler."""


def _exchange() -> Exchange:
    """Return a stream that was answered whole."""

    async def receive() -> bytes:
        return b""

    operation = build_operations(max_json_depth=64)[_CHAT]
    now = SystemClock.now()
    one = Exchange(id="0123456789abcdef", operation=operation, headers=[], receive=receive, started=now - 2)
    one.asked = operation.read(_BODY)
    one.caller, one.model, one.replica = Caller("key-0123456789abcdef"), "tiny", "gpu-1"
    one.attempts, one.status, one.usage = 1, 200, Usage(100, 200, 64)
    one.trail = Trail(SystemClock.now, now, 0.0001, 0.0001, 0.0002, 0.0003, first_token_at=now - 1)
    one.trail.calls = [Call("gpu-1", _CHAT, now - 1.9, 1, now - 1.8, now, "ok", 200)]
    return one


def _median_us(call: Callable[[], object], between: Callable[[], object] = lambda: None) -> float:
    """Return what a call costs; the median over groups of calls."""
    found = []
    for _ in range(GROUPS):
        began = time.thread_time_ns()
        for _ in range(CALLS):
            call()
        found.append((time.thread_time_ns() - began) / CALLS)
        between()
    return statistics.median(found) / 1000


def cost() -> None:
    """Print what single steps cost."""
    one, clock = _exchange(), SystemClock()
    ledger = Ledger(clock)
    outlet = OtelOutlet([], every_s=1)
    recording = Recording(outlet, Tracing(enabled=True), clock=clock, caller=lambda each: each, most_held=10**9)

    def close() -> None:
        ledger.open(one)
        ledger.close(one, Outcome.OK)

    def noted() -> None:
        trail = Trail(SystemClock.now, 0.0)
        trail.calls.append(Call("gpu-1", _CHAT, trail.now()))

    recording.begin(one)
    trace = one.trail.trace
    if trace is None:
        raise RuntimeError("the exchange has no trace")
    story = story_of(one, Outcome.OK, trace, caller="app")
    forget = recording._held.clear  # noqa: SLF001 - no room is to run out
    record = record_of(one, Outcome.OK, clock)
    steps: dict[str, Callable[[], object]] = {
        "`Server-Timing`, made": lambda: head_told(one),
        "a trail with one call of a replica, noted": noted,
        "an exchange opened and closed, nothing noted": close,
        "the metrics": lambda: requests.see(one, record),
        "in a thread: the line of the log": lambda: line_of(record, caller=str),
        "a trace begun: the caller's read, or a new one, and the sampler asked": lambda: recording.begin(one),
        "a trace told to a replica": lambda: trace.told(one.trail.calls[0]),
        "what spans are made of, taken": lambda: recording.see(one, record),
        "in a thread: three spans made of it": lambda: spans_of(story, wall=0.0),
    }
    sent = [(trace, span) for _ in range(_SENT) for span in spans_of(story, wall=1.0)]
    requests = Requests()
    print("| what | microseconds |\n|---|---:|")
    for name, step in steps.items():
        print(f"| {name} | {_median_us(step, forget):.2f} |")
    with collector() as port:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"  # noqa: TID251 - a benchmark's own
        outlet = OtelOutlet(["otlp"], every_s=1)
        outlet.send(sent)
        began = time.thread_time()
        for _ in range(_BATCHES):
            outlet.send(sent)
        took_us = (time.thread_time() - began) / _BATCHES / _SENT * 1e6
        print(f"| in a thread: its spans written down and sent, {_SENT} requests at once | {took_us:.2f} |\n")
        outlet.close()


async def _lateness(rate: int, recording: Recording, one: Exchange) -> tuple[float, float]:
    """Return how late a loop is in ms, at the median and the 99th percentile, while so many requests end a second."""
    late, done, began = [], 0, SystemClock.now()
    record = record_of(one, Outcome.OK, SystemClock())
    while (passed := SystemClock.now() - began) < _LATE_S:
        for _ in range(int(passed * rate) - done):
            recording.see(one, record)
            done += 1
        asleep = SystemClock.now()
        await asyncio.sleep(_NAP_S)
        late.append((SystemClock.now() - asleep - _NAP_S) * 1000)
    late.sort()
    return late[len(late) // 2], late[len(late) * 99 // 100]


def waits() -> None:
    """Print how long everything else in the process waits for the thread that sends spans."""
    one = _exchange()
    print("| requests/s, all sampled | the loop is late, median ms | p99, ms | lost |\n|---|---:|---:|---:|")
    with collector() as port:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"  # noqa: TID251 - a benchmark's own
        for rate in _RATES:
            outlet = OtelOutlet(["otlp"], every_s=1)
            recording = Recording(outlet, Tracing(enabled=True), clock=SystemClock(), caller=str)
            recording.begin(one)
            recording.open()
            median_ms, late_ms = asyncio.run(_lateness(rate, recording, one))
            recording.close()
            print(f"| {rate:,} | {median_ms:.2f} | {late_ms:.2f} | {recording.lost} |")
    print()


@contextmanager
def collector() -> Iterator[int]:
    """Run what takes spans and says yes, on the core that this process is on; give its port."""
    loop, port = asyncio.new_event_loop(), targets.free_port()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(asyncio.start_server(take, "127.0.0.1", port, limit=2**24))
        loop.run_forever()
        server.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def target(name: str, collects_at: int) -> Target:
    """Return a gateway that notes what a mode says."""
    settings, sampler = MODES[name]

    def command(place: Place) -> list[str]:
        file = place.folder / "gateway.yaml"
        file.write_text(settings + "session: {backend: memory}\n")
        said = ["OTEL_BSP_SCHEDULE_DELAY=200"]  # what a scenario costs is to fall into its own time
        said += [f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{collects_at}", f"OTEL_TRACES_SAMPLER={sampler}"]
        program = ["env", *said, sys.executable, "-m", "vllm_gateway", "serve", "--config", str(file), "--drain-s", "1"]
        return [*program, "--port", str(place.port), "--upstream", f"http://127.0.0.1:{place.replica}/v1"]

    return Target(name.replace(" ", "-").replace(",", ""), command)


def whole(repetitions: int) -> None:
    """Print what a whole gateway uses."""
    found: dict[tuple[str, str], list[Figures]] = {}
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch, targets.pinned(cores[-1]), collector() as port:
        for repetition in range(repetitions):
            for name in MODES:
                folder = Path(scratch, f"{repetition}-{name}")
                folder.mkdir()
                with (
                    targets.replica(folder) as replica,
                    targets.started(target(name, port), replica, folder, core=cores[0]) as gateway,
                ):
                    watch = Watch(target=gateway.pid, replica=replica.pid)
                    for scenario in SCENARIOS:
                        figures = measure(scenario, port=gateway.port, watch=watch)
                        found.setdefault((name, scenario.name), []).append(figures)
    for scenario in SCENARIOS:
        _print_table(scenario, [(name, summary(found[name, scenario.name])) for name in MODES])


def _print_table(scenario: Scenario, rows: Sequence[tuple[str, Figures]]) -> None:
    least = rows[0][1].cpu_s_per_1000_requests or 0.0
    print(f"| {scenario.title} | CPU, ms per request | more than the first | requests/s | p99, ms | errors |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, figures in rows:
        cpu_ms = figures.cpu_s_per_1000_requests or 0.0
        more = f"{(cpu_ms / least - 1) * 100:+.0f} %" if least else ""
        rate, late = figures.requests_per_s or 0.0, figures.p99_ms or 0.0
        print(f"| {name} | {cpu_ms:.3f} | {more} | {rate:,.0f} | {late:.1f} | {figures.errors} |")
    print()


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("cost", "waits", "whole"))
    parser.add_argument("--repetitions", type=int, default=3)
    asked = parser.parse_args()
    if asked.only in {None, "cost"}:
        cost()
    if asked.only in {None, "waits"}:
        waits()
    if asked.only in {None, "whole"}:
        whole(asked.repetitions)


if __name__ == "__main__":
    main()
