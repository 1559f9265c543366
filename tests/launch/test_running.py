"""Engines and the gateway, as programs of their own."""

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.waiting import PATIENCE_S, until
from tests.wire.programs import CLEAN
from vllm_gateway.clock import SystemClock
from vllm_gateway.launch.running import House, free_ports
from vllm_gateway.launch.wishes import Wishes

LIKE_VLLM = (sys.executable, str(Path(__file__).parent / "vllm_like.py"))


@asynccontextmanager
async def house(*models: str, gpus: int) -> AsyncIterator[tuple[House, list[str], asyncio.Task[int]]]:
    """Run them until the end of the block."""
    said: list[str] = []
    around = CLEAN | {"GATEWAY_SESSION__BACKEND": "memory", "GATEWAY_SLEEPING__LEAST_AWAKE_S": "0.2"}
    wanted = Wishes(models, command=LIKE_VLLM, port=0, gpus=gpus)
    one = House(wanted, around, write=said.append, clock=SystemClock(), first_pause_s=0.01)
    running = asyncio.get_running_loop().create_task(one.run())
    try:
        yield one, said, running
    finally:
        one.ask_to_stop()
        await running


async def door(said: list[str]) -> str:
    """Return where the gateway is, once it says so."""
    await until(lambda: any("vllm-gateway on http" in line for line in said), within_s=3 * PATIENCE_S)
    found = re.search(r"vllm-gateway on (http://\S+)", "\n".join(said))
    assert found is not None
    return found[1]


async def ask(http: httpx2.AsyncClient, model: str) -> None:
    """Ask a model, and be content with a whole answer only."""
    said = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    answer = await http.post("/v1/chat/completions", json=said)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == model


def process_of(model: str, said: list[str]) -> int:
    """Return the process that an engine says it is."""
    found = re.findall(rf"loading {model} on \S+ as (\d+)", "\n".join(said))
    return int(found[-1])


async def until_answered(http: httpx2.AsyncClient, model: str) -> None:
    """Ask until the replica is in again."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    async with asyncio.timeout(2 * PATIENCE_S):
        while (await http.post("/v1/chat/completions", json=body)).status_code != 200:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)


async def test_two_models_take_turns_on_one_accelerator() -> None:
    """All that is asked of either is answered; at the end nothing is left running."""
    async with house("one", "two", gpus=1) as (one, said, running):
        async with httpx2.AsyncClient(base_url=await door(said), timeout=PATIENCE_S, trust_env=False) as http:
            await asyncio.gather(*(ask(http, ("one", "two")[number % 2]) for number in range(12)))
        assert any("loading one on 0" in line for line in said)
        one.ask_to_stop()
        assert await running == 0
    assert not any(each.child.is_running for each in one.started)
    assert said[-1] == "up | everything has ended"


async def test_an_engine_that_dies_comes_back() -> None:
    """Its replica is out meanwhile, and in again."""
    async with house("one", gpus=1) as (one, said, _):
        async with httpx2.AsyncClient(base_url=await door(said), timeout=PATIENCE_S, trust_env=False) as http:
            os.kill(process_of("one", said), signal.SIGKILL)
            await until(lambda: one.started[0].child.starts == 2 and one.started[0].child.is_running)
            await until_answered(http, "one")
        assert any("one | ended with status -9" in line for line in said)


async def test_a_model_that_cannot_be_loaded_ends_it_with_a_reason() -> None:
    """The engine's own lines stand above it."""
    async with house("broken", gpus=1) as (_, said, running):
        assert await running == 1
        assert "broken | no such model" in said
        assert any("before it answered once" in line for line in said)


async def started(folder: Path, *before: str) -> tuple[asyncio.subprocess.Process, list[int]]:
    """Start `up` as a program of its own, and return it with its engine and its gateway, once all of it runs."""
    command = (sys.executable, "-m", "vllm_gateway", "up", "one", "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *(*before, *command, "--engine-command", shlex.join(LIKE_VLLM)),
        stdout=asyncio.subprocess.PIPE,
        cwd=folder,
        env=CLEAN | {"GATEWAY_SESSION__BACKEND": "memory"},
    )
    assert process.stdout is not None
    async with asyncio.timeout(3 * PATIENCE_S):
        while b"vllm-gateway on http" not in await process.stdout.readline():
            assert process.returncode is None
    return process, children(process.pid)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in found.split()]


def lives(pid: int) -> bool:
    """Say whether a process is there and no zombie that its new parent has yet to bury."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("sign", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
async def test_no_signal_that_ends_it_leaves_anything_running(sign: signal.Signals, tmp_path: Path) -> None:
    """A terminal that is closed is one of them: what holds a GPU would hold it for ever."""
    process, others = await started(tmp_path)
    assert len(others) == 2
    process.send_signal(sign)
    await process.communicate()
    assert process.returncode == 0
    assert not any(lives(other) for other in others)


async def test_with_nohup_a_closed_terminal_does_not_matter(tmp_path: Path) -> None:
    """Nor that nobody reads its lines any more."""
    process, others = await started(tmp_path, "nohup")
    assert process.stdout is not None
    process.send_signal(signal.SIGHUP)
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    process.send_signal(signal.SIGHUP)
    os.kill(others[0], 0)
    process.terminate()
    await process.wait()
    assert not any(lives(other) for other in others)


def test_ports_are_free_and_different() -> None:
    """Each engine gets one."""
    assert len(set(free_ports(5))) == 5
