"""What a supervisor is told."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S
from tests.wire.programs import CLEAN
from vllm_gateway.clock import HandClock
from vllm_gateway.serve.supervisor import Supervisor, send_to_systemd


def test_each_state_is_a_datagram_as_systemd_reads_it() -> None:
    """A reload carries the time at which it began."""
    sent: list[str] = []
    supervisor = Supervisor(sent.append, HandClock(now=12.5))
    supervisor.ready()
    supervisor.reloading()
    supervisor.stopping()
    assert sent == ["READY=1", "RELOADING=1\nMONOTONIC_USEC=12500000", "STOPPING=1"]


def test_without_a_supervisor_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most gateways have none."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    send_to_systemd("READY=1")


def test_a_socket_with_an_abstract_name_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systemd may use such a name, which is in no folder."""
    name = f"vllm-gateway-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        send_to_systemd("READY=1")
        listener.settimeout(PATIENCE_S)
        assert listener.recv(100) == b"READY=1"


def test_a_supervisor_that_is_gone_is_told_of_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no reason not to serve."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/socket")
    send_to_systemd("READY=1")
    assert "cannot be told" in caplog.text


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_gateway_tells_its_whole_life(workers: int, tmp_path: Path) -> None:
    """Ready once it answers, a reload from its beginning to its end, and the stop; one process or several."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)  # noqa: FBT003 - its argument has no name

        async def heard() -> bytes:
            async with asyncio.timeout(PATIENCE_S):
                return await loop.sock_recv(listener, 1000)

        process = await started(tmp_path, workers)
        assert await heard() == b"READY=1"
        process.send_signal(signal.SIGHUP)
        assert (await heard()).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert await heard() == b"READY=1"
        process.send_signal(signal.SIGTERM)
        assert await heard() == b"STOPPING=1"
        await process.communicate()
        assert process.returncode == 0


async def started(folder: Path, workers: int) -> asyncio.subprocess.Process:
    """Start a gateway that has a supervisor."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "vllm_gateway", "serve", "--port", "0", "--workers", str(workers)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env={**CLEAN, "NOTIFY_SOCKET": str(folder / "notify"), "GATEWAY_SESSION__PATH": str(folder / "s.sqlite")},
    )
