"""What a turn of a session costs: many sessions at once, each saying the next thing as soon as it has its answer.

    python -m benchmarks.turns                      on the simulator and on a canned replica, with the memory store
    python -m benchmarks.turns --store sqlite       with another store
    python -m benchmarks.turns --turns 8            each session is begun anew after so many turns

The gateway has a core of its own; client and replica share the other. The figure is turns per second of the gateway's
own CPU time: what one core does when nothing else is the limit. Linux only.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks import canned, targets
from benchmarks.accounting import Watch
from benchmarks.targets import Place, Started, Target
from vllm_gateway import codec
from vllm_gateway.tasks import Tasks

WARM_S = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """How many sessions speak at once, how many turns each has, and for how long this is measured."""

    sessions: int = 32
    turns: int = 4
    measured_s: float = 5.0
    path: str = "/v1/sessions/{id}/chat"


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen."""

    replica: str
    turns: int
    failed: int
    wall_s: float
    gateway_cpu_s: float

    def line(self) -> str:
        """Return it as people read it."""
        per_core = self.turns / self.gateway_cpu_s if self.gateway_cpu_s else 0.0
        return (
            f"{self.replica:10} {self.turns:7,} turns, {self.failed} failed: "
            f"{self.turns / self.wall_s:7,.0f} turns/s seen, "
            f"{self.gateway_cpu_s * 1000 / max(1, self.turns):.3f} ms of CPU each, {per_core:7,.0f} turns/s of one core"
        )


class Speaker:
    """One connection that begins a session, speaks, and begins the next."""

    def __init__(self, port: int, load: Load) -> None:
        self.turns = 0
        self.failed = 0
        self._port = port
        self._load = load

    async def speak(self) -> None:
        """Go on for ever."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while True:
                begun = await self._post(reader, writer, "/v1/sessions", {"model": canned.MODEL})
                path = self._load.path.format(id=codec.loads(begun[1])["id"])
                for turn in range(self._load.turns):
                    status, _ = await self._post(reader, writer, path, {"message": f"Word {turn}", "max_tokens": 4})
                    self.turns += status == 200  # noqa: PLR2004
                    self.failed += status != 200  # noqa: PLR2004
        finally:
            writer.close()

    @staticmethod
    async def _post(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, fields: dict[str, object]
    ) -> tuple[int, bytes]:
        body = codec.dumps(fields)
        announced = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{announced}"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        lower = answer.lower()
        at = lower.index(b"content-length:") + len(b"content-length:")
        length = int(lower[at : lower.index(b"\r\n", at)])
        return int(answer[9:12]), await reader.readexactly(length)


async def measure(gateway: Started, replica: Started, name: str, load: Load) -> Result:
    """Speak for a while, and return what that came to."""
    tasks = Tasks("turns")
    speakers = [Speaker(gateway.port, load) for _ in range(load.sessions)]
    running = [tasks.start(speaker.speak(), name="speaker") for speaker in speakers]
    await asyncio.sleep(WARM_S)
    watch = Watch(target=gateway.pid, replica=replica.pid)
    before, turns_before = watch.sample(), sum(speaker.turns for speaker in speakers)
    await asyncio.sleep(load.measured_s)
    after, turns_after = watch.sample(), sum(speaker.turns for speaker in speakers)
    for task in running:
        task.cancel()
    await tasks.close()
    return Result(
        replica=name,
        turns=turns_after - turns_before,
        failed=sum(speaker.failed for speaker in speakers),
        wall_s=after.at_s - before.at_s,
        gateway_cpu_s=after.target_cpu_s - before.target_cpu_s,
    )


def gateway_target(store: str) -> Target:
    """Return the gateway with this store of sessions."""

    def command(place: Place) -> list[str]:
        settings = place.folder / "gateway.yaml"
        path = f", path: {place.folder / 'sessions.sqlite'}" if store == "sqlite" else ""
        settings.write_text(f"session: {{backend: {store}{path}}}\n")
        program = [sys.executable, "-m", "vllm_gateway", "serve", "--config", str(settings), "--log-level", "warning"]
        upstream = f"http://127.0.0.1:{place.replica}/v1"
        return [*program, "--drain-s", "1", "--port", str(place.port), "--upstream", upstream]

    return Target("gateway", command)


def simulator() -> Target:
    """Return the embedded engine without any pause between its tokens."""

    def command(place: Place) -> list[str]:
        program = [sys.executable, "-m", "vllm_gateway", "sim", "--ttft-ms", "0", "--itl-ms", "0"]
        return [*program, "--port", str(place.port), "--model", canned.MODEL]

    return Target("simulator", command)


@contextmanager
def replicas(folder: Path) -> Iterator[list[tuple[str, Started]]]:
    """Run both replicas."""
    with (
        targets.replica(folder) as ready,
        targets.started(simulator(), Started(os.getpid(), 0), folder, core=None) as sim,
    ):
        yield [("canned", ready), ("simulator", sim)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="memory", choices=["memory", "sqlite"])
    parser.add_argument("--sessions", type=int, default=32)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5.0)
    asked = parser.parse_args()
    load = Load(sessions=asked.sessions, turns=asked.turns, measured_s=asked.seconds)
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name, targets.pinned(cores[-1]), replicas(Path(name)) as behind:
        for label, replica in behind:
            folder = Path(name) / label
            folder.mkdir()
            with (
                targets.started(gateway_target(asked.store), replica, folder, core=cores[0]) as gateway,
                asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            ):
                print(runner.run(measure(gateway, replica, label, load)).line(), flush=True)


if __name__ == "__main__":
    main()
