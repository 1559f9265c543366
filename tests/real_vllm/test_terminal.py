"""The guests in a terminal, each as its own program: the chat, `ask` and `top`."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.real_vllm.asked import gauge
from tests.real_vllm.fleet import MODEL, Fleet, Server
from tests.terminal.terminals import terminal
from vllm_gateway import codec


def profile(folder: Path, max_tokens: int) -> str:
    """Write a profile whose answers are the same every time, and so long; return where."""
    path = folder / "short.json"
    path.write_bytes(codec.dumps({"model": MODEL, "temperature": 0, "max_tokens": max_tokens}))
    return str(path)


async def until_running(count: int, http: httpx2.AsyncClient, replicas: Fleet) -> None:
    """Wait until the replicas compute so many requests."""
    async with asyncio.timeout(30):
        while True:
            pages = [(await http.get(f"{replica.url}/metrics")).text for replica in (replicas.first, replicas.second)]
            if sum(gauge(page, "vllm:num_requests_running") for page in pages) == count:
                return
            await asyncio.sleep(0.02)


async def test_two_turns_in_the_chat(front: Server, tmp_path: Path) -> None:
    """Answers with their figures; the second turn is asked with the first one before it."""
    command = ("chat", "--url", front.url, "--profile", profile(tmp_path, 40))
    async with terminal(tmp_path, *command, size=(120, 40)) as shown:
        await shown.until_shown("Send")
        shown.type("Hello\r")
        await shown.until_shown("out 40 ")
        shown.type("And then?\r")
        await shown.until(lambda: sum("tok/s" in line for line in shown.lines()) == 2)
        assert shown.shows("And then?")
        assert shown.shows(" of 4.1k")
        shown.type("\x0b")
        await shown.until_shown(f"* {MODEL}")
        assert shown.shows("2 up")
        shown.type("\x1b")
        shown.type("\x11")
        assert await shown.until_left() == 0


async def test_esc_stops_the_replica(http: httpx2.AsyncClient, front: Server, replicas: Fleet, tmp_path: Path) -> None:
    """What has come stays on the screen."""
    command = ("chat", "--url", front.url, "--profile", profile(tmp_path, 3500))
    async with terminal(tmp_path, *command) as shown:
        await shown.until_shown("Send")
        shown.type("A long story\r")
        await shown.until_shown("answering")
        await until_running(1, http, replicas)
        shown.type("\x1b")
        await shown.until_shown("Stopped.")
        await until_running(0, http, replicas)


async def test_ask_prints_the_answer_and_nothing_else(front: Server, tmp_path: Path) -> None:
    """The same as the API's answer, streamed or not."""
    flags = ["--url", front.url, "--model", MODEL, "--temperature", "0", "--max-tokens", "20", "Hello"]
    said = [await asyncio.to_thread(ask, tmp_path, *flags, *more) for more in ([], ["--no-stream"])]
    assert said[0] == said[1]
    assert said[0].strip()


def ask(folder: Path, *flags: str) -> str:
    """Return what `ask` writes to stdout."""
    command = [sys.executable, "-m", "vllm_gateway", "ask", *flags]
    ran = subprocess.run(
        command, env={"XDG_CONFIG_HOME": str(folder)}, capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout
