"""A terminal of its own for a program: what it is sent is put on a screen, as a terminal emulator does."""

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pyte

from tests.waiting import until

PATIENCE_S = 50.0
_UNKNOWN = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]")
"""What pyte would take for something else: the keyboard protocols that programs ask for."""


class Terminal:
    """A terminal that somebody sits before."""

    def __init__(self, outer: int, program: subprocess.Popen[bytes], size: tuple[int, int]) -> None:
        self.program = program
        self.seen = bytearray()
        """All that was written to it."""
        self._outer = outer
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._loop = asyncio.get_running_loop()
        self.go_on()

    def wrote(self, text: str) -> bool:
        """Say whether this was written to it in one piece."""
        return text.encode() in self.seen

    def lines(self) -> list[str]:
        """Return what stands on the screen."""
        return list(self._screen.display)

    def shows(self, text: str) -> bool:
        """Say whether this stands in one of its lines."""
        return any(text in line for line in self.lines())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something; when it does not come, show what is on the screen instead."""
        try:
            await until(condition, within_s=PATIENCE_S)
        except TimeoutError:
            raise AssertionError("\n".join(["this is on the screen instead:", *self.lines()])) from None

    async def until_shown(self, text: str) -> None:
        """Wait for a text on the screen."""
        await self.until(lambda: self.shows(text))

    async def until_left(self) -> int:
        """Wait for the program to end, and return its exit status."""
        await self.until(lambda: self.program.poll() is not None)
        return self.program.returncode

    def type(self, text: str) -> None:
        """Type."""
        os.write(self._outer, text.encode())

    def resize(self, size: tuple[int, int]) -> None:
        """Have another number of columns and lines."""
        columns, lines = size
        self._screen.resize(lines, columns)
        fcntl.ioctl(self._outer, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.program.send_signal(signal.SIGWINCH)  # as the system does it for the terminal that one has logged in to

    def stand_still(self) -> None:
        """Show nothing more: whoever writes to it has to wait."""
        self._loop.remove_reader(self._outer)

    def go_on(self) -> None:
        """Show what is written."""
        self._loop.add_reader(self._outer, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._outer, 65_536)
        except OSError:  # the program has left
            self.stand_still()
            return
        self.seen += data
        self._stream.feed(_UNKNOWN.sub(b"", data))


@asynccontextmanager
async def terminal(
    folder: Path, *command: str, size: tuple[int, int] = (80, 24), environment: Mapping[str, str] | None = None
) -> AsyncIterator[Terminal]:
    """Run a command of `vllm-gateway` in a terminal; what the user has set up elsewhere does not count in it."""
    outer, inner = pty.openpty()
    home = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"), str(folder))
    columns, lines = size
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    program = subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time, and it is read without waiting
        [sys.executable, "-m", "vllm_gateway", *command],
        env={"PATH": os.defpath, "TERM": "xterm-256color", **home, **(environment or {})},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    shown = Terminal(outer, program, size)
    try:
        yield shown
    finally:
        shown.stand_still()
        program.kill()
        program.wait()
        os.close(outer)
