"""A Redis that can be paused, killed and started again at the same address; it keeps nothing on disk."""

import shutil
import signal
import socket
import subprocess
import time

import pytest

_START_S = 30.0


class RedisProcess:
    """Owns one server."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it, and wait until it listens."""
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            pytest.fail("redis-server is not installed; on Debian: apt-get install redis-server", pytrace=False)
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        self._process = subprocess.Popen([binary, *where], stdout=subprocess.DEVNULL)
        deadline = time.perf_counter() + _START_S
        while not self._is_listening():
            assert time.perf_counter() < deadline, "Redis did not start."
            time.sleep(0.02)

    def pause(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._running.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; what it knew is gone."""
        self._running.kill()
        self._running.wait()
        self._process = None

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None:
            self.kill()

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
