"""The chat as a program, in a terminal of its own."""

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.terminal.conftest import house
from tests.waiting import until
from vllm_gateway.terminal.chat import Wishes, run
from vllm_gateway.terminal.settings import TerminalSettings

PATIENCE_S = 50.0


@dataclass
class Terminal:
    """A terminal that somebody sits before."""

    outer: int
    program: subprocess.Popen[bytes]
    seen: bytearray = field(default_factory=bytearray)

    def has(self, text: str) -> bool:
        """Say whether this was written to it."""
        return text.encode() in self.seen

    def type(self, text: str) -> None:
        """Type."""
        os.write(self.outer, text.encode())


@asynccontextmanager
async def terminal(folder: Path, *arguments: str, **environment: str) -> AsyncIterator[Terminal]:
    """Start the chat in a terminal of 80 columns and 24 lines."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    home = {
        "XDG_CONFIG_HOME": str(folder),
        "XDG_STATE_HOME": str(folder),
        "HOME": str(folder),
        "TERM": "xterm-256color",
    }
    program = subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time, and it is read without waiting
        [sys.executable, "-m", "vllm_gateway", "chat", *arguments],
        env={"PATH": os.defpath, **home, **environment},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    shown = Terminal(outer, program)
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            shown.seen += os.read(outer, 65_536)
        except OSError:  # the program has left
            loop.remove_reader(outer)

    loop.add_reader(outer, read)
    try:
        yield shown
    finally:
        loop.remove_reader(outer)
        program.kill()
        program.wait()
        os.close(outer)


async def test_what_is_typed_before_anything_is_ready_is_not_lost(tmp_path: Path) -> None:
    """The first frame comes before the library that draws all others, and leaving leaves the terminal as it was."""
    async with house() as home, terminal(tmp_path, "--url", home.front.url, "--model", "sim-small") as shown:
        await until(lambda: shown.has("New chat"), within_s=PATIENCE_S)
        shown.type("early bird\r")
        await until(lambda: shown.has("tok/s"), within_s=PATIENCE_S)
        assert shown.has("early bird")
        shown.type("\x11")
        await until(lambda: shown.program.poll() is not None, within_s=PATIENCE_S)
        assert shown.program.returncode == 0
        assert shown.seen.rindex(b"\x1b[?1049l") > shown.seen.rindex(b"\x1b[?1049h")


async def test_a_terminal_that_knows_no_utf_8_sees_boxes_all_the_same(tmp_path: Path) -> None:
    """Made of what it knows."""
    async with house() as home, terminal(tmp_path, "--url", home.front.url, PYTHONIOENCODING="ascii") as shown:
        await until(lambda: shown.has("Send"), within_s=PATIENCE_S)
        assert shown.has("+- New chat -")
        assert all(byte < 128 for byte in shown.seen)


async def test_without_colours_there_are_none(tmp_path: Path) -> None:
    """`NO_COLOR` is followed."""
    async with house() as home, terminal(tmp_path, "--url", home.front.url, NO_COLOR="1") as shown:
        await until(lambda: shown.has("Send"), within_s=PATIENCE_S)
        assert shown.has("New chat")


def test_without_a_terminal_it_says_what_there_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pipe there is nothing to draw on; without Textual there is nothing to draw with."""
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert run(Wishes(TerminalSettings())) == 1
    assert "vllm-gateway ask" in capsys.readouterr().err
    monkeypatch.setattr("vllm_gateway.terminal.chat.running.find_spec", lambda _: None)
    assert run(Wishes(TerminalSettings())) == 1
    assert capsys.readouterr().err == (
        "The chat needs Textual, which is not installed. Install it: pip install 'vllm-gateway[tui]'\n"
    )
