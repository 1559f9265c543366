"""The chat as a program, in a terminal of its own."""

import asyncio
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.terminal.conftest import house
from tests.terminal.terminals import terminal
from vllm_gateway.terminal.chat import Wishes, run
from vllm_gateway.terminal.settings import TerminalSettings

ASK = ("--model", "sim-small", "--url")
_COLOR = re.compile(rb"[34]8;2;(\d+);(\d+);(\d+)")


async def test_what_is_typed_before_anything_is_ready_is_not_lost(tmp_path: Path) -> None:
    """The first frame comes before the library that draws all others, and leaving leaves the terminal as it was."""
    async with house() as home, terminal(tmp_path, "chat", *ASK, home.front.url) as shown:
        await shown.until_shown("New chat")
        shown.type("early bird\r")
        await shown.until_shown("tok/s")
        assert shown.shows("early bird")
        shown.type("\x11")
        assert await shown.until_left() == 0
        assert shown.seen.rindex(b"\x1b[?1049l") > shown.seen.rindex(b"\x1b[?1049h")


@pytest.mark.parametrize("environment", [{"LANG": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "ascii"}])
async def test_a_terminal_that_knows_no_utf_8_sees_boxes_all_the_same(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Made of what it knows; what is typed in it is asked as it is."""
    async with house() as home, terminal(tmp_path, "chat", *ASK, home.front.url, environment=environment) as shown:
        await shown.until_shown("Send")
        assert shown.shows("+- New chat -")
        shown.type("plain words\r")
        await shown.until_shown("tok/s")
        assert shown.shows("plain words")
        assert all(byte < 128 for byte in shown.seen)


async def test_without_colours_there_are_none(tmp_path: Path) -> None:
    """`NO_COLOR` leaves greys, from the first frame to the last."""
    flags = {"NO_COLOR": "1", "COLORTERM": "truecolor"}
    async with house() as home, terminal(tmp_path, "chat", *ASK, home.front.url, environment=flags) as shown:
        await shown.until_shown("New chat")
        shown.type("hello\r")
        await shown.until_shown("tok/s")
        shown.type("\x11")
        assert await shown.until_left() == 0
        colors = set(_COLOR.findall(shown.seen))
        assert colors
        assert all(red == green == blue for red, green, blue in colors)


async def test_another_size_is_filled_while_an_answer_comes(tmp_path: Path) -> None:
    """Smaller and larger; what was said is still there, and what is being written too."""
    async with house(itl_ms=5) as home, terminal(tmp_path, "chat", *ASK, home.front.url) as shown:
        await shown.until_shown("Send")
        shown.type("a question of some length\r")
        await shown.until_shown("answering")
        shown.type("half a thought")
        shown.resize((50, 12))
        await shown.until(lambda: shown.lines()[0].endswith("╮") and shown.shows("half a thought"))
        shown.resize((120, 40))
        await shown.until(lambda: shown.lines()[0].endswith("╮") and shown.shows("tok/s"))
        assert shown.shows("a question of some length")
        assert shown.shows("half a thought")


async def test_a_terminal_that_stands_still_stops_nothing_but_the_drawing(tmp_path: Path) -> None:
    """The answer is read and what is typed is kept meanwhile; all of it is seen when the terminal goes on."""
    async with house(itl_ms=10) as home, terminal(tmp_path, "chat", *ASK, home.front.url) as shown:
        await shown.until_shown("Send")
        shown.type("a question of some length\r")
        await shown.until_shown("answering")
        shown.stand_still()
        for columns in range(140, 80, -1):  # each draws everything anew, which is more than is buffered anywhere
            shown.resize((columns, 40))
            await asyncio.sleep(0.02)
        shown.type("half a thought")
        await shown.until(lambda: "half a thought" in _drafts(tmp_path))
        shown.go_on()
        await shown.until(lambda: shown.shows("tok/s") and shown.shows("half a thought"))


def _drafts(folder: Path) -> str:
    """Return all that is kept of what was typed and not answered."""
    texts = []
    for path in folder.rglob("drafts/*.txt"):
        with suppress(FileNotFoundError):  # it was answered just now
            texts.append(path.read_text(encoding="utf-8"))
    return "".join(texts)


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
