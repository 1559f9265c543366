"""`vllm-gateway up` with two models on a real vLLM."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import httpx2
import pytest

from tests.real_vllm.fleet import REPOSITORY, START_TIMEOUT_S, environment_folder

MODELS = ("tiny-a", "tiny-b")


@pytest.mark.timeout(900)
async def test_two_models_are_started_asked_and_ended(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    """A mixed load has no failure, and at the end nothing is left running."""
    for name in MODELS:
        (tmp_path / name).symlink_to(environment_folder() / "model")
    engine = f"{sys.executable} {Path(__file__).with_name('serve_like.py')}"
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("vllm-gateway")),
        *("up", *(str(tmp_path / name) for name in MODELS), "--cpu", "--max-model-len", "1024"),
        *("--engine-command", engine, "--engine-arg=--enforce-eager", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
        env={
            "PATH": os.defpath,
            "HOME": str(Path.home()),
            "PYTHONPATH": str(REPOSITORY),
            "XDG_STATE_HOME": str(tmp_path),
        },
    )
    told: list[str] = []
    assert process.stdout is not None
    async with asyncio.timeout(2 * START_TIMEOUT_S):
        while not (found := re.search(r"vllm-gateway on (http://\S+)", "\n".join(told[-1:]))):
            line = await process.stdout.readline()
            assert line, "\n".join(told[-30:])
            told.append(line.decode())
    reading = asyncio.get_running_loop().create_task(process.stdout.read())

    async def ask(number: int) -> None:
        body = {"model": MODELS[number % 2], "prompt": f"Number {number}", "max_tokens": 16, "stream": number % 3 == 0}
        answer = await http.post(f"{found[1]}/v1/completions", json=body)
        assert answer.status_code == 200, answer.text
        assert not body["stream"] or answer.text.endswith("data: [DONE]\n\n")

    await asyncio.gather(*(ask(number) for number in range(40)))
    process.send_signal(signal.SIGTERM)
    rest = (await reading).decode()
    assert await process.wait() == 0
    assert "everything has ended" in rest.splitlines()[-1]
    assert not left_of(tmp_path)


def left_of(folder: Path) -> list[Path]:
    """Return the processes that this test has started and that still run."""
    return [pid for pid in Path("/proc").glob("[0-9]*") if _runs_in(pid, folder)]


def _runs_in(pid: Path, folder: Path) -> bool:
    """Say whether a process was started by this test."""
    try:
        return str(folder).encode() in (pid / "cmdline").read_bytes()
    except OSError:
        return False
