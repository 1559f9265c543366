"""What a kept answer saves: how long hits and misses take, what a hit costs, and how often a crowd asks the replica.

    python -m benchmarks.caching                                    with answers in the gateway's memory
    python -m benchmarks.caching --redis redis://127.0.0.1:6379/0   with answers in Redis

The replica is the simulator, whose first token takes 30 ms and each further one 2 ms; an answer has 32 tokens. The
gateway has a core of its own; client and replica share the other. Linux only.
"""

import argparse
import asyncio
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks import canned, targets
from benchmarks.accounting import Watch
from benchmarks.targets import Place, Started, Target
from vllm_gateway import codec

TOKENS = 32
_SUCCESSES = re.compile(rb"^vllm:request_success_total\{[^}]*\} ([\d.]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Line:
    """One connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, port: int) -> "Line":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[bytes, bytes]:
        """Return the head and the body of a reply."""
        about = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
        self.writer.write(f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{about}\r\n".encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        if length := re.search(rb"content-length: (\d+)", head):
            return head, await self.reader.readexactly(int(length[1]))
        parts: list[bytes] = []
        while size := int(await self.reader.readline(), 16):
            parts.append((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readexactly(2)
        return head, b"".join(parts)


def question(number: int, *, is_stream: bool) -> bytes:
    """Return a chat; each number is another one."""
    text = f"Question {number}. " + "Say what you think of it, and why. " * 20
    fields = {"model": canned.MODEL, "messages": [{"role": "user", "content": text}], "temperature": 0}
    return codec.dumps({**fields, "stream": is_stream, "max_tokens": TOKENS, "ignore_eos": True})


async def times(port: int, numbers: Sequence[int], *, is_stream: bool, expected: bytes) -> list[float]:
    """Ask one after the other, and return how many milliseconds each whole answer took that came as `expected`.

    Where Redis is late the others go past it.
    """
    line, took = await Line.to(port), []
    for number in numbers:
        body = question(number, is_stream=is_stream)
        began = time.perf_counter()
        head, _ = await line.ask("POST", "/v1/chat/completions", body)
        if b"x-cache: " + expected in head:
            took.append((time.perf_counter() - began) * 1000)
    line.writer.close()
    return took


async def crowd(port: int, number: int, callers: int) -> None:
    """Ask the same at the same time, half of it as streams."""
    lines = [await Line.to(port) for _ in range(callers)]
    asked = [question(number, is_stream=at % 2 == 0) for at in range(callers)]
    await asyncio.gather(
        *(line.ask("POST", "/v1/chat/completions", body) for line, body in zip(lines, asked, strict=True))
    )
    for line in lines:
        line.writer.close()


async def successes(port: int) -> float:
    """Return how many requests the simulator has answered."""
    line = await Line.to(port)
    _, text = await line.ask("GET", "/metrics")
    line.writer.close()
    return sum(float(found) for found in _SUCCESSES.findall(text))


def told(name: str, took: list[float]) -> str:
    """Return figures as people read them."""
    p99 = statistics.quantiles(took, n=100)[-1]
    return f"{name:24} p50 {statistics.median(took):7.2f} ms, p99 {p99:7.2f} ms  ({len(took)} requests)"


async def measure(gateway: Started, replica: Started, *, misses: int, hits: int) -> None:
    """Measure and print."""
    for is_stream, first in ((False, 1), (True, 1 + misses)):
        form, numbers = "stream" if is_stream else "one piece", range(first, first + misses)
        print(told(f"miss, {form}", await times(gateway.port, numbers, is_stream=is_stream, expected=b"miss")))
        again = [first + at % misses for at in range(hits)]
        watch = Watch(target=gateway.pid, replica=replica.pid)
        before = watch.sample()
        print(told(f"hit, {form}", await times(gateway.port, again, is_stream=is_stream, expected=b"hit")))
        cost_ms = (watch.sample().target_cpu_s - before.target_cpu_s) * 1000 / hits
        print(f"{'':24} {cost_ms:.3f} ms of the gateway's CPU each")
        print(told("hit, the other form", await times(gateway.port, again, is_stream=not is_stream, expected=b"hit")))
    for callers in (100, 1_000):
        before_count = await successes(replica.port)
        await crowd(gateway.port, -callers, callers)
        print(f"{callers:5} callers at once: {await successes(replica.port) - before_count:.0f} answers of the replica")


def gateway_target(redis_url: str | None) -> Target:
    """Return the gateway with a cache."""

    def command(place: Place) -> list[str]:
        settings = place.folder / "gateway.yaml"
        state = f"state: {{redis_url: '{redis_url}'}}\n" if redis_url else ""
        settings.write_text(f"cache: {{backend: {'redis' if redis_url else 'memory'}}}\n{state}")
        program = [sys.executable, "-m", "vllm_gateway", "serve", "--config", str(settings), "--log-level", "warning"]
        upstream = f"http://127.0.0.1:{place.replica}/v1"
        return [*program, "--drain-s", "1", "--port", str(place.port), "--upstream", upstream]

    return Target("gateway", command)


def simulator() -> Target:
    """Return the embedded engine."""

    def command(place: Place) -> list[str]:
        program = [sys.executable, "-m", "vllm_gateway", "sim", "--ttft-ms", "30", "--itl-ms", "2"]
        return [*program, "--ttft-ms-per-1k", "0", "--port", str(place.port), "--model", canned.MODEL]

    return Target("simulator", command)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis", help="address of a Redis that may be written to")
    parser.add_argument("--misses", type=int, default=100)
    parser.add_argument("--hits", type=int, default=2000)
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory() as name,
        targets.pinned(cores[-1]),
        targets.started(simulator(), Started(os.getpid(), 0), Path(name), core=None) as replica,
        targets.started(gateway_target(asked.redis), replica, Path(name), core=cores[0]) as gateway,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(measure(gateway, replica, misses=asked.misses, hits=asked.hits))


if __name__ == "__main__":
    main()
