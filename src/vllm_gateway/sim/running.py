"""Starting and stopping the sim, in a running event loop or as a program of its own."""

import asyncio
import signal
import sys
from collections.abc import Callable

from vllm_gateway.clock import Clock, SystemClock
from vllm_gateway.sim.app import App
from vllm_gateway.sim.faults.control import Control
from vllm_gateway.sim.faults.standing import Standing
from vllm_gateway.sim.journal import Journal
from vllm_gateway.sim.replica import Replica
from vllm_gateway.sim.settings import SimSettings
from vllm_gateway.sim.wire import Connection, Server

_BACKLOG = 2048
_CLOSING_TURNS = 100
"""Turns of the loop that closing connections may take; one or two are enough."""


class RunningSim:
    """A sim that listens; close it when it is no longer wanted."""

    def __init__(self, settings: SimSettings, host: str, clock: Clock) -> None:
        self.host = host
        self.port = 0
        self.faults = Control(Standing(self), seed=settings.seed)
        """What goes wrong: `faults.add(["reset@7"])`, `await faults.clear()`."""
        self.replica = Replica(settings, clock, self.faults)
        self._wire = Server(App(self.replica), self.replica.journal, clock, settings.keep_alive_s)
        self._listener: asyncio.Server | None = None
        self._opening = asyncio.Lock()

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://{self.host}:{self.port}"

    @property
    def engine(self) -> Replica:
        """The replica inside, for tests that look at its scheduler and its meters."""
        return self.replica

    @property
    def log(self) -> Journal:
        """What it has seen so far."""
        return self.replica.journal

    async def listen(self, port: int) -> None:
        """Begin to accept connections; a port of 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self._wire), self.host, port, backlog=_BACKLOG)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def listen_again(self) -> None:
        """Accept connections again on the same port, if that had stopped."""
        async with self._opening:
            if self._listener is None:
                await self.listen(self.port)

    def stop_listening(self, *, cut: bool) -> None:
        """Refuse new connections, and reset those that are open if `cut`."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self._wire.open) if cut else ():
            connection.reset()

    def wedge(self, *, is_wedged: bool) -> None:
        """Make no tokens although everything looks alive, or go on."""
        self.replica.scheduler.wedge(is_wedged=is_wedged)

    async def close(self) -> None:
        """Stop listening and cut what is still open."""
        await self.faults.close()
        self.stop_listening(cut=False)
        for connection in list(self._wire.open):
            connection.close("sim")
            connection.transport.abort()
        self.replica.scheduler.close()
        for _ in range(_CLOSING_TURNS):
            if not self._wire.open:
                return
            await asyncio.sleep(0)


async def start(
    settings: SimSettings | None = None, *, host: str = "127.0.0.1", port: int = 0, clock: Clock | None = None
) -> RunningSim:
    """Start a sim in the running event loop and return it when it listens."""
    chosen = settings or SimSettings()
    sim = RunningSim(chosen, host, clock or SystemClock())
    await sim.listen(port)
    sim.faults.add(chosen.faults)
    return sim


def run(settings: SimSettings) -> int:
    """Run a sim until SIGTERM or SIGINT, and return the exit status."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings))


async def _serve(settings: SimSettings) -> int:
    try:
        sim = await start(settings, host=settings.host, port=settings.port)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        sys.stderr.write(
            f"The sim cannot listen on {settings.host}:{settings.port}: {reason}. Choose another --port.\n"
        )
        return 1
    sys.stdout.write(banner(sim))
    sys.stdout.flush()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Unlike the loop's own way of doing it, this works on Windows too.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    await stopped.wait()
    await sim.close()
    return 0


def banner(sim: RunningSim) -> str:
    """Return what the program says when it listens: where, what it is, and a line to try."""
    settings, model = sim.replica.settings, sim.replica.served_name
    path, asked = "chat/completions", '"messages":[{"role":"user","content":"Hello"}]'
    if not settings.models:
        path, asked = "embeddings", '"input":"Hello"'
    key = f" -H 'authorization: Bearer {settings.api_key}'" if settings.api_key else ""
    body = f'{{"model":"{model}",{asked}}}'
    return (
        f"vllm-gateway sim listens on {sim.url}: no model, made-up text, vLLM {settings.vllm_version}'s API\n"
        f"try: curl {sim.url}/v1/{path}{key} -H 'content-type: application/json' -d '{body}'\n"
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - Windows has none
    except ImportError:
        return None
    return uvloop.new_event_loop
