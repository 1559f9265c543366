"""The programs that these tests start: real vLLM replicas, and the gateway in front of them.

Each is a process group of its own, because a vLLM server is several processes, and writes to a log file of its own.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from vllm_gateway import codec
from vllm_gateway.clock import SystemClock

MODEL, EMBEDDING_MODEL = "tiny-llama", "tiny-embed"
REPOSITORY = Path(__file__).parents[2]
START_TIMEOUT_S = 240.0
"""Three replicas are ready 25 s after they were started on two idle cores; a busy machine takes far longer."""

# One computing thread, bound to no core: left alone, each replica binds its only thread to the machine's first core.
REPLICA_ENVIRONMENT = {
    "PATH": os.defpath,
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}
REPLICA_FLAGS = (
    "--max-model-len=4096",
    "--enforce-eager",
    "--enable-request-id-headers",
    "--enable-prompt-tokens-details",
    "--enable-per-request-metrics",
)


@dataclass(frozen=True)
class Server:
    """A running program that answers HTTP on a port of this machine."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self, sign: signal.Signals = signal.SIGKILL) -> None:
        """Signal every process of the program."""
        os.killpg(self.process.pid, sign)

    def wait_until_ready(self, path: str, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when `path` answers 200; fail with the end of the log when the program dies or takes too long."""
        clock = SystemClock()
        deadline = clock.now() + timeout_s
        while self.process.poll() is None and clock.now() < deadline:
            if _is_ok(self.url + path):
                return
            time.sleep(0.1)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
        raise AssertionError(f"{self.log.stem} is not ready:\n{tail}")


def _is_ok(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment_folder() -> Path:
    """Return the folder that `scripts/real_vllm_env.sh` builds."""
    script = REPOSITORY / "scripts" / "real_vllm_env.sh"
    where = subprocess.run([script, "--where"], check=True, capture_output=True, text=True).stdout.strip()
    folder = Path(where)
    assert (folder / "model.stamp").exists(), "There is no real vLLM here: run scripts/real_vllm_env.sh first."
    return folder


@contextmanager
def _program(command: list[str], url: str, log: Path, environment: dict[str, str], folder: Path) -> Iterator[Server]:
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdout=output, stderr=output, cwd=folder, env=environment, start_new_session=True
        ) as process,
    ):
        server = Server(url, process, log)
        try:
            yield server
        finally:
            if process.poll() is None:
                server.kill()


@contextmanager
def replica(log: Path, *, embeds: bool = False, port: int = 0) -> Iterator[Server]:
    """Start a vLLM server, which is not ready yet; kill it at the end. Port 0: any that is free."""
    root = environment_folder()
    port = port or _free_port()
    module = ["env/bin/python", "-W", "ignore", "-m", "vllm.entrypoints.openai.api_server"]
    name = EMBEDDING_MODEL if embeds else MODEL
    where = ["--model=model", f"--served-model-name={name}", "--host=127.0.0.1", f"--port={port}"]
    kind = ["--runner=pooling"] if embeds else []
    environment = {**REPLICA_ENVIRONMENT, "HOME": str(root)}
    command = [*module, *where, *kind, *REPLICA_FLAGS]
    with _program(command, f"http://127.0.0.1:{port}", log, environment, root) as server:
        yield server


@contextmanager
def gateway(log: Path, *upstreams: Server, settings: Mapping[str, Any] | None = None) -> Iterator[Server]:
    """Start the gateway as a user would, in an empty folder and environment, and wait until it is ready.

    `settings` become its `gateway.yaml`. Conversations are kept in its folder, not in the user's.
    """
    port = _free_port()
    program = Path(sys.executable).with_name("vllm-gateway")
    options = [f"--upstream={upstream.url}/v1" for upstream in upstreams]
    command = [str(program), "serve", f"--port={port}", *options]
    folder = log.with_suffix("")
    folder.mkdir()
    if settings is not None:
        (folder / "gateway.yaml").write_bytes(codec.dumps(settings))  # JSON is YAML
    environment = {"PATH": os.defpath, "XDG_STATE_HOME": str(folder / "state")}
    with _program(command, f"http://127.0.0.1:{port}", log, environment, folder) as server:
        server.wait_until_ready("/readyz", timeout_s=30)
        yield server


@dataclass(frozen=True)
class Fleet:
    """Two replicas that generate and one that embeds."""

    first: Server
    second: Server
    embeds: Server


@contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """Start the three replicas at once and return when all are ready."""
    with ExitStack() as stack:
        first = stack.enter_context(replica(folder / "first.log"))
        second = stack.enter_context(replica(folder / "second.log"))
        embeds = stack.enter_context(replica(folder / "embeds.log", embeds=True))
        for server in (first, second, embeds):
            server.wait_until_ready("/health")
        yield Fleet(first, second, embeds)
