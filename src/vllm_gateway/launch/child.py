"""A program that runs for as long as it is wanted: its lines are passed on, and it is started again when it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from vllm_gateway.clock import Clock
from vllm_gateway.tasks import Tasks

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
LONG_LIFE_S = 60.0
"""One that has lived so long is started again without a long pause."""
_LINE_BYTES = 1 << 20
_LAST_LINES_S = 1.0

Say = Callable[[str], None]


class Child:
    """One program and all that it starts: a process group of its own."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        say: Say,
        clock: Clock,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self.name = name
        self.starts = 0
        """How often it was started."""
        self.is_up = asyncio.Event()
        """Set while the process runs."""
        self._arguments = arguments
        self._environment = environment
        self._say = say
        self._clock = clock
        self._first_pause_s = first_pause_s
        self._process: asyncio.subprocess.Process | None = None
        self._is_wanted = True

    @property
    def is_running(self) -> bool:
        """It runs now."""
        return self._process is not None and self._process.returncode is None

    async def keep(self, before_again: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run it until `stop`; `before_again` is awaited before it is started a second time."""
        pause_s = self._first_pause_s
        while self._is_wanted:
            began = self._clock.now()
            status = await self._live()
            if not self._is_wanted:
                return
            lived_s = self._clock.now() - began
            pause_s = self._first_pause_s if lived_s > LONG_LIFE_S else pause_s
            self._say(f"ended with status {status} after {lived_s:.0f} s; it is started again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if before_again is not None and self._is_wanted:
                await before_again()

    async def stop(self, *, within_s: float) -> None:
        """Ask it to end, and end it when it takes too long; it is not started again."""
        self._is_wanted = False
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            self._say(f"does not end within {within_s:g} s and is killed")
        self._kill_group()  # what it has started may be left
        await process.wait()

    async def _live(self) -> int:
        self.starts += 1
        try:
            process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(self._environment),
                start_new_session=sys.platform != "win32",
                limit=_LINE_BYTES,
            )
        except OSError as fault:
            self._say(f"cannot be started: {fault.strerror or fault}")
            return 127
        self._process = process
        self.is_up.set()
        try:
            if not self._is_wanted:  # it was told to stop while it was being started
                self._kill_group()
            await self._pass_lines_on(process)
            return await process.wait()
        finally:
            self.is_up.clear()
            if self.is_running:
                self._kill_group()

    async def _pass_lines_on(self, process: asyncio.subprocess.Process) -> None:
        """Say each line; when the process is over nobody waits for what it has started and left."""
        if process.stdout is None:
            return
        tasks = Tasks(self.name)
        tasks.start(_lines(process.stdout, self._say), name="lines")
        try:
            await process.wait()
        finally:
            await tasks.finish(within_s=_LAST_LINES_S)

    def _signal(self, sign: signal.Signals) -> None:
        if self.is_running and self._process is not None:
            self._process.send_signal(sign)

    def _kill_group(self) -> None:
        if self._process is None:
            return
        if sys.platform == "win32":
            if self.is_running:
                self._process.kill()
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


async def _lines(stream: asyncio.StreamReader, say: Say) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than anybody would read
            continue
        if not line:
            return
        say(line.decode("utf-8", "replace").rstrip())
