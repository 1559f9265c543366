"""Private servers of Redis and PostgreSQL, each on a free port of its own and in a folder of its own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_START_S = 30.0
_STOP_S = 20.0
_UNPRIVILEGED = ("postgres", "nobody")


class ServerMissing(Exception):
    """What the tests need is not installed."""


@contextmanager
def redis_server() -> Iterator[str]:
    """Run Redis, and give its address; what it acknowledges is on its disk."""
    binary = _binary("redis-server", "valkey-server")
    with _folder() as folder:
        port = _free_port()
        where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
        with _running(
            [binary, *where, "--save", "", "--appendonly", "yes", "--appendfsync", "always"],
            lambda: _is_listening(port),
        ):
            yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run PostgreSQL as a user who may, and give its address."""
    with _folder() as folder:
        prefix = _as_unprivileged(folder)
        made = [_binary("initdb"), "-D", f"{folder}/data", "-U", "gateway", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*prefix, *made], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        port = _free_port()
        where = ["-D", f"{folder}/data", "-p", str(port), "-k", "", "-c", "listen_addresses=127.0.0.1"]
        state = Path(folder, "data", "postmaster.pid")
        with _running([*prefix, _binary("postgres"), *where], lambda: _is_ready(state)):
            yield f"postgres://gateway@127.0.0.1:{port}/postgres"


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="vllm-gateway-test-", ignore_cleanup_errors=True) as folder:
        yield folder


@contextmanager
def _running(command: list[str], is_ready: Callable[[], bool]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.perf_counter() + _START_S
        while not is_ready():
            if process.poll() is not None or time.perf_counter() > deadline:
                raise ServerMissing(f"{command[0]} did not start.")
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_STOP_S)


def _as_unprivileged(folder: str) -> list[str]:
    """Return what to put before a command that refuses to run as root, and give the folder to that user."""
    if os.geteuid() != 0:
        return []
    for name in _UNPRIVILEGED:
        if _is_user(name):
            shutil.chown(folder, name)
            return [_binary("setpriv"), f"--reuid={name}", "--clear-groups", "--"]
    raise ServerMissing("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`.")


def _is_user(name: str) -> bool:
    return subprocess.run(["id", name], capture_output=True, check=False).returncode == 0  # noqa: S607 - from the path


def _binary(*names: str) -> str:
    """Return the first of these programs that is installed, on the path or where Debian puts those of PostgreSQL."""
    for name in names:
        if found := shutil.which(name):
            return found
        versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        if versions:
            return str(versions[-1])
    raise ServerMissing(f"{names[0]} is not installed; on Debian: apt-get install redis-server postgresql")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_ready(state: Path) -> bool:
    """Say whether PostgreSQL takes connections: it listens earlier than that."""
    return state.exists() and state.read_text().rstrip().endswith("ready")
