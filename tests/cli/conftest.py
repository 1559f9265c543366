"""The command line in an empty directory, with an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vllm_gateway.cli.program import status

Run = Callable[..., tuple[int, str, str]]

_OWN = ("PATH", "HOME", "LANG", "SYSTEMROOT", "VIRTUAL_ENV")
"""What a program needs of the real environment; all else could set the gateway."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory without any variable that could set the gateway."""
    for name in [name for name in os.environ if name not in _OWN]:  # noqa: TID251 - cleans what the gateway reads
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(here: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command inside this process; return its status, output and errors."""
    assert here.is_dir()

    def run_command(*arguments: str) -> tuple[int, str, str]:
        code = status(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run_command


@pytest.fixture
def start(here: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a command as its own process."""

    def start_command(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "vllm_gateway", *arguments]
        return subprocess.Popen(command, cwd=here, text=True, stdout=stdout, stderr=subprocess.PIPE)

    return start_command
