"""The programs that are measured: starting them on their core, waiting until they answer, ending them."""

import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import canned
from vllm_gateway import codec
from vllm_gateway.clock import SystemClock

START_S = 60.0
"""How long a program may take until it answers."""
_ANSWER_S = 5.0
_NEVER = 1_000_000_000
"""A limit that is kept count of, and never met."""
STOP_S = 5.0
"""How long a program may take to end when it is asked to; then it is killed."""
_NGINX_CONF = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_body_buffer_size 1m;
  keepalive_timeout 120s;
  keepalive_requests 1000000000;
  upstream replica {{
    server 127.0.0.1:{replica};
    keepalive 2048;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://replica;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class NotStarted(Exception):
    """A program did not come up; the message says which and what it wrote."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a target listens, where the replica behind it listens, and a folder for its files."""

    port: int
    replica: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers: the replica itself when there is no command."""

    name: str
    command: Callable[[Place], list[str]] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """What it needs beside a PATH."""


@dataclass(frozen=True, slots=True)
class Started:
    """A program that runs and answers."""

    pid: int
    port: int


def direct() -> Target:
    """Return the replica without anything in front."""
    return Target("direct")


def gateway() -> Target:
    """Return the gateway of the environment that this runs in."""

    def command(place: Place) -> list[str]:
        program = [sys.executable, "-m", "vllm_gateway", "serve", "--log-level", "warning", "--drain-s", "1"]
        return [*program, "--port", str(place.port), "--upstream", f"http://127.0.0.1:{place.replica}/v1"]

    return Target("gateway", command)


def whole_gateway(name: str = "gateway", settings: Mapping[str, object] | None = None) -> Target:
    """Return the gateway with all that it does for a request: keys, limits, metrics, usage and a log of requests.

    `settings` take the place of those sections.
    """

    def command(place: Place) -> list[str]:
        path = place.folder / f"{name}.yaml"
        everything: dict[str, object] = {
            "port": place.port,
            "upstreams": [{"url": f"http://127.0.0.1:{place.replica}/v1"}],
            "drain_s": 1,
            "auth": {"mode": "keys", "client_keys": [canned.KEY]},
            "limits": {"requests_per_minute": _NEVER, "tokens_per_minute": _NEVER, "concurrent": _NEVER},
            "usage": {"backend": "sqlite", "path": str(place.folder / f"{name}-{place.port}.sqlite")},
            "log": {"format": "json", "requests": True},
            "session": {"backend": "memory"},
        }
        path.write_bytes(codec.dumps({**everything, **(settings or {})}))  # JSON is YAML
        path.chmod(0o600)
        return [sys.executable, "-m", "vllm_gateway", "serve", "--config", str(path)]

    return Target(name, command)


def nginx() -> Target | None:
    """Return nginx as a plain relay, the limit of what can be hoped for; None when it is not installed."""
    program = shutil.which("nginx")
    if program is None:
        return None

    def command(place: Place) -> list[str]:
        settings = place.folder / "nginx.conf"
        settings.write_text(_NGINX_CONF.format(folder=place.folder, port=place.port, replica=place.replica))
        return [program, "-c", str(settings), "-e", str(place.folder / "nginx.log")]

    return Target("nginx", command)


def peer(text: str) -> Target:
    """Return another gateway from `name=command`, its command with `{port}` and `{replica}` for the two ports."""
    name, is_given, template = text.partition("=")
    if not is_given or not name or "{port}" not in template or "{replica}" not in template:
        raise ValueError(f"{text!r} is no peer: write name='command ... {{port}} ... {{replica}} ...'.")

    def command(place: Place) -> list[str]:
        return [part.format(port=place.port, replica=place.replica) for part in shlex.split(template)]

    return Target(name, command)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def replica(folder: Path) -> Iterator[Started]:
    """Run the canned replica beside the client, on the core that this process is on."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.replica", "--port", str(port)]
    with _running(Target("replica"), command, port, folder, cwd=Path(__file__).resolve().parents[1]) as pid:
        yield Started(pid, port)


@contextmanager
def started(target: Target, behind: Started, folder: Path, *, core: int | None) -> Iterator[Started]:
    """Run a target on a core of its own; the replica itself runs already."""
    if target.command is None:
        yield behind
        return
    place = Place(port=free_port(), replica=behind.port, folder=folder)
    command = target.command(place)
    with _running(target, command, place.port, folder, cwd=folder, core=core) as pid:
        yield Started(pid, place.port)


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Stay on one core; programs that are started meanwhile inherit that."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _running(
    target: Target, command: list[str], port: int, folder: Path, *, cwd: Path, core: int | None = None
) -> Iterator[int]:
    """Run a program with an environment of its own, so that neither variables nor files here change what it does."""
    log = folder / f"{target.name}.txt"
    with log.open("ab") as output, pinned(core):
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", **target.environment},
            start_new_session=True,
        )
    try:
        _wait_until_it_answers(target.name, process, port, log)
        yield process.pid
    finally:
        _stop(process)


def _wait_until_it_answers(name: str, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    latest = SystemClock.now() + START_S
    while SystemClock.now() < latest and process.poll() is None:
        if _answers(port):
            return
        time.sleep(0.05)
    reason = "ended" if process.poll() is not None else f"gave no answer within {START_S:.0f} s"
    raise NotStarted(f"{name} {reason}. It wrote: {log.read_text(errors='replace')[-2000:].strip() or 'nothing'}")


def _answers(port: int) -> bool:
    """Tell whether a chat completion comes back."""
    body = codec.dumps({"model": canned.MODEL, "messages": [{"role": "user", "content": "Hello"}]})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
    try:
        headers = {"content-type": "application/json", "authorization": f"Bearer {canned.KEY}"}
        connection.request("POST", "/v1/chat/completions", body, headers)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a program that was started here, and its children: it leads a process group of its own."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
            break
    with suppress(ProcessLookupError):  # a child may outlive its parent
        os.killpg(process.pid, signal.SIGKILL)
