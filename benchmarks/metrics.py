"""What the metrics cost: `python -m benchmarks.metrics`.

The first table is what a request pays, counted in one process without sockets. The second is one scrape of a gateway
before 20 replicas that tell as much as a real vLLM does, every page new, as after a round of looks: how long it takes,
and for how long at a time it keeps everything else in the process waiting. All of it is CPU time, so that a
busy machine does not show.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram

from vllm_gateway import codec
from vllm_gateway.callers import Caller
from vllm_gateway.clock import SystemClock
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.serve.assembly import Parts, build
from vllm_gateway.settings.model import Session, Settings, Upstream
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.metrics.definitions import LONG_S
from vllm_gateway.telemetry.metrics.requests import Requests
from vllm_gateway.trail import Trail

GROUPS = 200
CALLS = 200
REPLICAS = 20
SCRAPES = 30
MODELS = 20
RECORDED = Path(__file__).parents[1] / "tests" / "recordings" / "vllm-0.32.0" / "metrics.json"


def _exchange() -> Exchange:
    """Return a stream that was answered whole."""

    async def receive() -> bytes:
        return b""

    operation = build_operations(max_json_depth=64)["/v1/chat/completions"]
    now = SystemClock.now()
    one = Exchange(id="0123456789abcdef", operation=operation, headers=[], receive=receive, started=now - 2)
    one.caller, one.model, one.replica = Caller("key-0123456789abcdef"), "tiny", "gpu-1"
    one.attempts, one.status, one.usage = 1, 200, Usage(100, 200, 64)
    one.trail = Trail(SystemClock.now, now, 0.0001, 0.0001, 0.0002, 0.0003, first_token_at=now - 1)
    return one


def _median_us(call: Callable[[], object]) -> float:
    """Return what a call costs; the median over groups of calls."""
    found = []
    for _ in range(GROUPS):
        began = time.thread_time_ns()
        for _ in range(CALLS):
            call()
        found.append((time.thread_time_ns() - began) / CALLS)
    return statistics.median(found) / 1000


def _requests() -> None:
    one, off, on = _exchange(), Ledger(SystemClock()), Ledger(SystemClock())
    on.seen.append(Requests().see)
    registry = CollectorRegistry()
    counter = Counter("requests", "", ("a", "b", "c", "d"), registry=registry)
    histogram = Histogram("seconds", "", ("model",), buckets=LONG_S, registry=registry)
    trail = Trail(SystemClock.now, SystemClock.now())

    def close(ledger: Ledger) -> None:
        ledger.open(one)
        ledger.close(one, Outcome.OK)

    def steps() -> None:
        fresh = Trail(SystemClock.now, 0.0)
        fresh.auth_s = fresh.step()
        fresh.step()
        fresh.read_s = fresh.step()
        fresh.route_s = fresh.step() - fresh.queue_s
        fresh.connect_s = fresh.step()
        fresh.first_token_at = trail.now()

    without, with_it = _median_us(lambda: close(off)), _median_us(lambda: close(on))
    print("| what | microseconds |\n|---|---:|")
    print(f"| an exchange opened and closed, nothing measured | {without:.2f} |")
    print(f"| the same, measured: a counter, tokens, a key, and seven histograms | {with_it:.2f} |")
    print(f"| the steps noted on the way | {_median_us(steps):.2f} |")
    one_count = _median_us(counter.labels("route", "tiny", "2xx", "ok").inc)
    print(f"| for comparison, prometheus_client: `Counter.inc()`, its labels known | {one_count:.2f} |")
    labelled = _median_us(lambda: counter.labels("route", "tiny", "2xx", "ok").inc())
    print(f"| `Counter.labels(...).inc()` | {labelled:.2f} |")
    print(f"| `Histogram.labels(...).observe()` | {_median_us(lambda: histogram.labels('tiny').observe(0.5)):.2f} |\n")


async def _scrape(parts: Parts, page: bytes) -> tuple[float, float, int]:
    """Return how long a scrape takes, the longest time that nothing else had its turn meanwhile, and its size."""
    for replica in parts.pool.replicas:
        replica.page = bytes(bytearray(page))  # another object: as after a look
    longest, before, is_over = 0.0, time.thread_time(), False

    async def look() -> None:
        nonlocal longest, before
        while not is_over:
            now = time.thread_time()
            longest, before = max(longest, now - before), now
            await asyncio.sleep(0)

    looking = asyncio.get_running_loop().create_task(look())
    await asyncio.sleep(0)
    began = time.thread_time()
    text = await parts.scraping.page()
    took = time.thread_time() - began
    is_over = True
    await looking
    return took, longest, len(text)


async def _scrapes() -> None:
    page: bytes = codec.loads(RECORDED.read_bytes())["response"]["body"].encode()
    upstreams = tuple(Upstream(url="http://127.0.0.1:9") for _ in range(REPLICAS))
    print(f"| {REPLICAS} replicas, {len(page):,} bytes each | median, ms | slowest, ms | longest turn, ms | bytes |")
    print("|---|---:|---:|---:|---:|")
    async with build(Settings(upstreams=upstreams, session=Session(backend="memory"))) as parts:
        for number in range(MODELS * CALLS):
            one = _exchange()
            one.model = f"model-{number % MODELS}"
            parts.ledger.open(one)
            parts.ledger.close(one, Outcome.OK)
        for name, includes in (("the gateway's own", False), ("with the replicas'", True)):
            parts.scraping.includes_replicas = includes
            found = [await _scrape(parts, page) for _ in range(SCRAPES)]
            took = [each[0] * 1000 for each in found]
            longest = statistics.median(each[1] * 1000 for each in found)
            print(f"| {name} | {statistics.median(took):.1f} | {max(took):.1f} | {longest:.1f} | {found[-1][2]:,} |")


def main() -> None:
    """Measure, and print tables."""
    _requests()
    asyncio.run(_scrapes())


if __name__ == "__main__":
    main()
