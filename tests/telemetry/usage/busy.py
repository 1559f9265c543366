"""A process that takes records all the time: `python -m tests.telemetry.usage.busy FILE NAME [RECORDS]`.

It prints, again and again, how many it has taken and when. Without a number of records it goes on until it is killed;
SIGTERM ends it in order.
"""

import asyncio
import signal
import sys
from itertools import count
from pathlib import Path

from tests.telemetry.usage.records import record
from vllm_gateway.clock import SystemClock
from vllm_gateway.telemetry.usage.sqlite import SqliteStore
from vllm_gateway.telemetry.usage.writer import Writer

AT_ONCE = 20
PAUSE_S = 0.005


async def work(path: Path, name: str, most: int) -> None:
    """Take records, up to `most`; write all of them before the end."""
    clock, store, stop = SystemClock(), SqliteStore(path, limit_s=5), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    writer = Writer(store, keep_days=0, clock=clock)
    writer.open()
    numbers = count()
    while not stop.is_set():
        for _ in range(AT_ONCE):
            number = next(numbers)
            if number == most:
                stop.set()
                break
            writer.take(record(request_id=f"{name}-{number}", ended=clock.wall()))
        print(number, clock.wall(), flush=True)  # noqa: T201 - read by the test
        await asyncio.sleep(PAUSE_S)
    await writer.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else -1))
