"""What the usage ledger costs: `python -m benchmarks.usage_ledger [--postgres URL]`.

The first table is what a request waits for. The second is what is done beside it: CPU time of the whole process, with
SQLite's thread, and how long one batch keeps the loop from everything else.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from vllm_gateway.callers import Caller
from vllm_gateway.clock import SystemClock
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.usage.database import postgres_store
from vllm_gateway.telemetry.usage.record import record_of
from vllm_gateway.telemetry.usage.sqlite import SqliteStore
from vllm_gateway.telemetry.usage.store import Entry, UsageStore
from vllm_gateway.telemetry.usage.writer import BATCH, MAX_HELD, Writer

GROUPS = 200
CALLS = 200
BATCHES = 100
RATE = 5_000
"""Records a second that the writer is given."""
SECONDS = 6
_TURN_S = 0.002


def _exchange() -> Exchange:
    async def receive() -> bytes:
        return b""

    operation = build_operations(max_json_depth=64)["/v1/chat/completions"]
    one = Exchange(id="0123456789abcdef", operation=operation, headers=[], receive=receive, started=SystemClock.now())
    one.asked = operation.read(b'{"model":"tiny","messages":[{"role":"user","content":"Hello"}]}')
    one.caller, one.model, one.replica = Caller("key-0123456789abcdef"), "tiny", "gpu-1"
    one.attempts, one.status, one.usage = 1, 200, Usage(100, 200, 64)
    return one


def _median_ns(ledger: Ledger, one: Exchange, between: Callable[[], None]) -> float:
    """Return what one exchange costs the ledger; the median over groups of calls."""
    found = []
    for _ in range(GROUPS):
        began = time.perf_counter_ns()
        for _ in range(CALLS):
            ledger.open(one)
            ledger.close(one, Outcome.OK)
        found.append((time.perf_counter_ns() - began) / CALLS)
        between()
    return statistics.median(found)


async def _hot_path() -> None:
    one, clock = _exchange(), SystemClock()
    off, on = Ledger(clock), Ledger(clock)
    with TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder, "usage.sqlite"), limit_s=5)
        writer = Writer(store, keep_days=0, clock=clock)
        on.told.append(writer.take)
        without = _median_ns(off, one, lambda: None)
        with_it = _median_ns(on, one, writer._held.clear)  # noqa: SLF001 - no room is to run out
        await store.close()
    print("| opened and closed | microseconds |\n|---|---:|")
    print(f"| without a ledger | {without / 1000:.2f} |\n| with one | {with_it / 1000:.2f} |\n")


async def _batches(store: UsageStore) -> tuple[float, float]:
    """Return what a batch holds the loop for, in milliseconds, and what a record costs the whole process, in micro-."""
    record = record_of(_exchange(), Outcome.OK, SystemClock())
    await store.write([Entry("first", 0, record)])
    held, cpu_s = [], time.process_time()
    for batch in range(BATCHES):
        began = time.thread_time()
        await store.write([Entry("writer", batch * BATCH + place, record) for place in range(BATCH)])
        held.append(time.thread_time() - began)
    return statistics.median(held) * 1000, (time.process_time() - cpu_s) / (BATCHES * BATCH) * 1e6


async def _steady(store: UsageStore) -> tuple[Writer, int]:
    """Close exchanges at a steady rate; return the writer, and the most records that waited for it."""
    clock, ledger, one = SystemClock(), Ledger(SystemClock()), _exchange()
    writer = Writer(store, keep_days=0, clock=clock)
    ledger.told.append(writer.take)
    writer.open()
    began, done, most_held = clock.now(), 0, 0
    while (passed := clock.now() - began) < SECONDS:
        for _ in range(int(passed * RATE) - done):
            ledger.open(one)
            ledger.close(one, Outcome.OK)
            done += 1
        most_held = max(most_held, writer.held)
        await asyncio.sleep(_TURN_S)
    await writer.close()
    return writer, most_held


async def _writing(postgres: str | None) -> None:
    print(f"| store | a record, CPU microseconds | a batch of {BATCH} holds the loop, ms | most held at {RATE:,}/s |")
    print("|---|---:|---:|---:|")
    with TemporaryDirectory() as folder:
        path = Path(folder, "usage.sqlite")
        stores: dict[str, UsageStore] = {"sqlite": SqliteStore(path, limit_s=5)}
        if postgres is not None:
            stores["postgres"] = postgres_store(postgres, limit_s=5)
        for name, store in stores.items():
            held_ms, cpu_us = await _batches(store)
            writer, most_held = await _steady(store)
            await store.close()
            print(f"| {name} | {cpu_us:.1f} | {held_ms:.1f} | {most_held:,} |")
            if name == "sqlite":
                size = os.stat(path).st_size / (writer.written + BATCHES * BATCH)  # noqa: PTH116 - the loop is done
        print(f"\nA record takes {size:.0f} bytes in SQLite.\n")


async def _away() -> None:
    """Fill what is held while a store is away."""
    import tracemalloc  # noqa: PLC0415 - slows all down that it watches

    one, clock = _exchange(), SystemClock()
    with TemporaryDirectory() as folder:
        writer = Writer(SqliteStore(Path(folder, "usage.sqlite"), limit_s=5), keep_days=0, clock=clock)
        ledger = Ledger(clock)
        ledger.told.append(writer.take)
        tracemalloc.start()
        for number in range(MAX_HELD + 1000):
            one.id = f"{number:032x}"
            ledger.open(one)
            ledger.close(one, Outcome.OK)
        held_mib = tracemalloc.get_traced_memory()[0] / 2**20
        tracemalloc.stop()
    print(
        f"A store that stays away: {writer.held:,} records held, {writer.lost:,} counted as lost, {held_mib:.0f} MiB."
    )


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", help="address of a database in which a table may be made")
    postgres = parser.parse_args().postgres
    asyncio.run(_hot_path())
    asyncio.run(_writing(postgres))
    asyncio.run(_away())


if __name__ == "__main__":
    main()
