"""All of it: engines first, those of one slot one after the other; then the gateway; at the end the other way round."""

import asyncio
import io
import random
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from vllm_gateway.clock import Clock, SystemClock
from vllm_gateway.launch.child import Child, Say
from vllm_gateway.launch.command import (
    engine_arguments,
    engine_environment,
    gateway_arguments,
    gateway_environment,
)
from vllm_gateway.launch.door import check_gateway
from vllm_gateway.launch.engine import NeverReady, Started, make_room
from vllm_gateway.launch.plan import Engine, count, plan
from vllm_gateway.launch.wishes import Wishes
from vllm_gateway.tasks import Tasks
from vllm_gateway.terminal.api import Fault

DRAIN_S = 45.0
"""For the gateway: its own drain and a little more."""
ENGINE_END_S = 15.0
_PORTS = range(18_000, 30_000)


def run(wishes: Wishes, around: Mapping[str, str]) -> int:
    """Run it until told to stop; return the exit status.

    Raises:
        SettingsInvalid: the gateway could not start.
        WishImpossible: it could not listen, or two models would have one name.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # vLLM greets with signs that not every terminal knows
    house = House(wishes, around, write=_write, clock=SystemClock())
    check_gateway(wishes, gateway_environment(house.engines, around))
    return asyncio.run(house.run())


def free_ports(number: int) -> list[int]:
    """Return ports of this machine that nobody listens on.

    They are below those that the system hands out by itself: a model may take minutes until it listens.
    """
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == number:
            break
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found


class House:
    """The engines and the gateway."""

    def __init__(
        self, wishes: Wishes, around: Mapping[str, str], *, write: Say, clock: Clock, first_pause_s: float = 1.0
    ) -> None:
        self._wishes = wishes
        self._around = around
        self._write = write
        self._clock = clock
        self._first_pause_s = first_pause_s
        self._stop = asyncio.Event()
        self.engines = plan(wishes, free_ports(count(wishes)))
        self.started = [self._started(engine) for engine in self.engines]
        self.gateway = Child(
            "gateway",
            gateway_arguments(wishes),
            gateway_environment(self.engines, around),
            say=self._saying("gateway"),
            clock=clock,
            first_pause_s=first_pause_s,
        )

    def ask_to_stop(self) -> None:
        """End all of it, in order."""
        self._stop.set()

    async def run(self) -> int:
        """Run until asked to stop; return 0, or 1 when an engine never came up."""
        tasks = Tasks("up")
        loop = asyncio.get_running_loop()
        if sys.platform != "win32":
            for each in _signals():
                loop.add_signal_handler(each, self.ask_to_stop)
        coming = tasks.start(self._come_up(tasks), name="start")
        stopping = tasks.start(self._stop.wait(), name="stop")
        try:
            await asyncio.wait([coming, stopping], return_when=asyncio.FIRST_COMPLETED)
            if coming.done() and not await coming:
                return 1
            await self._stop.wait()
        finally:
            coming.cancel()
            await self._end()
            await tasks.close()
        return 0

    async def _come_up(self, tasks: Tasks) -> bool:
        """Start the engines and then the gateway; say whether it went well."""
        for engine in self.engines:
            where = f" on {engine.slot or ', '.join(map(str, engine.accelerators))}" if engine.accelerators else ""
            self._write(f"up | {engine.served_name}{where}, at {engine.url}")
        slots: dict[object, list[Started]] = {}
        for number, one in enumerate(self.started):
            slots.setdefault(one.engine.slot or number, []).append(one)
        try:
            await asyncio.gather(*(self._fill(members, tasks) for members in slots.values()))
        except (NeverReady, Fault) as never:
            self._write(f"up | {never}")
            return False
        self._write("up | all models are ready; here is the gateway:")
        tasks.start(self.gateway.keep(), name="gateway")
        return True

    async def _fill(self, members: list[Started], tasks: Tasks) -> None:
        """Start the engines of one slot, each when the one before it sleeps; the last stays awake."""
        for number, one in enumerate(members):
            if number:
                await members[number - 1].sleep()
            others = [each for each in members if each is not one]
            tasks.start(one.child.keep(partial(make_room, others)), name=one.engine.name)
            await one.until_ready()

    async def _end(self) -> None:
        await self.gateway.stop(within_s=DRAIN_S)
        await asyncio.gather(*(each.child.stop(within_s=ENGINE_END_S) for each in self.started))
        self._write("up | everything has ended")

    def _started(self, engine: Engine) -> Started:
        say = self._saying(engine.name)
        child = Child(
            engine.name,
            engine_arguments(engine, self._wishes),
            engine_environment(engine, self._wishes, self._around),
            say=say,
            clock=self._clock,
            first_pause_s=self._first_pause_s,
        )
        return Started(engine, child, say=say, clock=self._clock)

    def _saying(self, name: str) -> Say:
        return lambda line: self._write(f"{name} | {line}")


def _signals() -> list[signal.Signals]:
    """Return what ends it: also that its terminal is closed, unless `nohup` has said that this does not matter."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return [signal.SIGINT, signal.SIGTERM]
    return [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def _write(line: str) -> None:
    """Print a line; when nobody is there to read it any more, what runs goes on and is ended in order."""
    with suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
