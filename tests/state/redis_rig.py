"""Redis as it is run in earnest: with a replica and a Sentinel, as a cluster, with TLS, on a socket."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SERVICE = "main"
_PATIENCE_S = 20.0
CLUSTER_MASTERS = 3
CLUSTER_SLOTS = 16_384


class Node:
    """Owns one process of Redis, in a folder of its own."""

    def __init__(self, *options: str, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self._options = options
        self._folder = tempfile.mkdtemp(prefix="vllm-gateway-redis-")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        """Run it, and wait until it answers."""
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", self._folder]
        self._run([*where, "--save", "", "--enable-debug-command", "yes", *self._options, *more])

    def start_sentinel(self, master: int) -> None:
        """Run it as a Sentinel, which watches the server at a port."""
        settings = Path(self._folder, "sentinel.conf")
        settings.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {self._folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {master} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 300\nsentinel failover-timeout {SERVICE} 2000\n"
        )
        self._run([str(settings), "--sentinel"])

    def ask(self, *command: str) -> str:
        """Return what it answers to a command; nothing when it cannot be reached."""
        asked = [program("redis-cli"), "-p", str(self.port), *command]
        return subprocess.run(asked, capture_output=True, text=True, check=False, timeout=10).stdout.strip()

    def pause(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._running.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._running.kill()
        self._running.wait()
        self._process = None

    def close(self) -> None:
        """End it, whatever state it is in, and take its folder away."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, options: list[str]) -> None:
        self._process = subprocess.Popen([program("redis-server"), *options], stdout=subprocess.DEVNULL)
        if self.port:
            wait_until(self._is_listening)

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process


@dataclass(frozen=True, slots=True)
class Watched:
    """A server, its replica, and the Sentinel that puts the one in the place of the other."""

    master: Node
    replica: Node
    sentinel: Node

    @property
    def url(self) -> str:
        """Where to ask for the server; the first Sentinel is not there."""
        return f"redis+sentinel://127.0.0.1:1,127.0.0.1:{self.sentinel.port}/{SERVICE}/0"

    def is_replaced(self) -> bool:
        """Say whether the replica has taken over."""
        return "role:master" in self.replica.ask("info", "replication")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Servers that share the keys among them, and one that stands by for the first of them."""

    masters: tuple[Node, ...]
    replica: Node

    @property
    def url(self) -> str:
        """Where to ask for the cluster."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.masters[:2])


@contextmanager
def watched() -> Iterator[Watched]:
    """Run a server, its replica and their Sentinel."""
    with ExitStack() as stack:
        master, replica, sentinel = (_closed_by(stack, Node()) for _ in range(3))
        master.start()
        replica.start("--replicaof", f"127.0.0.1 {master.port}", "--repl-diskless-sync-delay", "0")
        wait_until(lambda: follows(replica, master))
        sentinel.start_sentinel(master.port)
        wait_until(lambda: "status=ok" in (told := sentinel.ask("info", "sentinel")) and "slaves=1" in told)
        yield Watched(master, replica, sentinel)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster, in which every key has its place."""
    with ExitStack() as stack:
        nodes = [_closed_by(stack, Node(port=_port_of_cluster())) for _ in range(CLUSTER_MASTERS + 1)]
        for node in nodes:
            node.start("--cluster-enabled", "yes", "--cluster-node-timeout", "700", "--repl-diskless-sync-delay", "0")
        *masters, replica = nodes
        part = CLUSTER_SLOTS // CLUSTER_MASTERS
        for place, master in enumerate(masters):
            last = CLUSTER_SLOTS - 1 if master is masters[-1] else (place + 1) * part - 1
            master.ask("cluster", "addslotsrange", str(place * part), str(last))
            master.ask("cluster", "set-config-epoch", str(place + 1))
        wait_until(lambda: _have_met(nodes))
        replica.ask("cluster", "replicate", masters[0].ask("cluster", "myid"))
        wait_until(lambda: follows(replica, masters[0]))
        wait_until(lambda: all(" slave " in node.ask("cluster", "nodes").replace(",", " ") for node in nodes))
        yield Cluster(tuple(masters), replica)


@contextmanager
def encrypted(folder: Path) -> Iterator[str]:
    """Run a server that speaks TLS only, with a certificate of an authority that is made here; give its address."""
    _make_certificates(folder)
    with ExitStack() as stack:
        node = _closed_by(stack, Node(port=0))
        port = free_port()
        files = {"cert-file": "server.pem", "key-file": "server.key", "ca-cert-file": "ca.pem"}
        options = [part for name, file in files.items() for part in (f"--tls-{name}", str(folder / file))]
        node.start("--tls-port", str(port), "--tls-auth-clients", "no", *options)
        wait_until(lambda: _is_listening(port))
        yield f"rediss://localhost:{port}/0"


@contextmanager
def on_socket(folder: Path) -> Iterator[str]:
    """Run a server that listens on a socket in the file system only; give its address."""
    path = folder / "redis.sock"
    with ExitStack() as stack:
        _closed_by(stack, Node(port=0)).start("--unixsocket", str(path))
        wait_until(path.exists)
        yield f"unix://{path}?db=3"


@contextmanager
def alone(*options: str) -> Iterator[Node]:
    """Run one server."""
    with ExitStack() as stack:
        node = _closed_by(stack, Node(*options))
        node.start()
        yield node


def follows(replica: Node, master: Node) -> bool:
    """Say whether a replica has heard of all that its master has kept until now."""
    told = [line for node in (master, replica) for line in node.ask("info", "replication").splitlines()]
    offsets = {
        line.partition(":")[2] for line in told if line.startswith(("master_repl_offset:", "slave_repl_offset:"))
    }
    return "master_link_status:up" in told and len(offsets) == 1 and any("state=online" in line for line in told)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as a condition holds."""
    deadline = time.perf_counter() + _PATIENCE_S
    while not condition():
        assert time.perf_counter() < deadline, "Redis did not become ready."
        time.sleep(0.02)


def program(name: str) -> str:
    """Return where a program is."""
    if found := shutil.which(name) or shutil.which(name.replace("redis", "valkey")):
        return found
    pytest.fail(f"{name} is not installed; on Debian: apt-get install redis-server", pytrace=False)


def _closed_by(stack: ExitStack, node: Node) -> Node:
    stack.callback(node.close)
    return node


def _port_of_cluster() -> int:
    """Return a free port whose like for the talk among nodes, 10,000 above, is free as well."""
    while (port := free_port()) > 55_000 or _is_listening(port + 10_000):  # beyond are no ports
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))  # so that the next one is another
    return port


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _have_met(nodes: list[Node]) -> bool:
    """Introduce nodes to each other, again and again: of two that do so at once one may be overheard."""
    known = f"cluster_known_nodes:{len(nodes)}"
    told = [node.ask("cluster", "info") for node in nodes]
    if all(known in each and "cluster_state:ok" in each for each in told):
        return True
    if not all(known in each for each in told):
        for node in nodes[1:]:
            node.ask("cluster", "meet", "127.0.0.1", str(nodes[0].port))
        time.sleep(0.2)
    return False


def _make_certificates(folder: Path) -> None:
    """Make an authority, and a certificate for `localhost` that it has signed."""
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    authority = ["-x509", "-subj", "/CN=An authority of the tests", "-keyout", "ca.key", "-out", "ca.pem"]
    server = ["-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=localhost", "-keyout", "server.key"]
    named = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]
    for asked in (authority, [*server, *named, "-out", "server.pem"]):
        subprocess.run([program("openssl"), "req", *made, *asked], cwd=folder, check=True, capture_output=True)
