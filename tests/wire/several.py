"""A gateway of several processes, as a user starts it."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.waiting import until
from tests.wire.sims import fast

PLAIN = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}  # noqa: TID251 - a test's own
ADMIN_KEY = "the-admin-key-of-the-tests"
CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
PATIENCE_S = 90
"""For anything that a loaded machine may take long for; several processes start one after the other."""
QUICK = fast()
SLOW = fast(itl_ms=20)
"""A stream of 50 tokens takes a second at least."""


@dataclass
class Several:
    """The process that watches, the others, and clients for the gateway and its admin routes."""

    process: asyncio.subprocess.Process
    http: httpx2.AsyncClient
    admin: httpx2.AsyncClient
    log: Path
    printed: str

    @property
    def workers(self) -> list[int]:
        """The processes that serve, by their ids; the embedded engine is one of them."""
        return children_of(self.process.pid)

    @property
    def port(self) -> int:
        """Where the gateway listens."""
        return self.http.base_url.port or 0

    async def chat(self, **fields: Any) -> httpx2.Response:  # noqa: ANN401 - any field
        """Ask over a connection of its own, which any of the workers may get."""
        return await self.http.post(CHAT, json={**HELLO, **fields}, headers={"connection": "close"})

    async def statuses(self, count: int, **fields: Any) -> list[int]:  # noqa: ANN401 - any field
        """Ask so often, all at once, each time over another connection."""
        replies = await asyncio.gather(*(self.chat(**fields) for _ in range(count)))
        return [reply.status_code for reply in replies]

    def connections(self) -> list[int]:
        """Return how many connections each of the workers has."""
        there = _established(self.port)
        return [len(there & _sockets_of(pid)) for pid in self.workers]

    async def killed(self, pid: int) -> None:
        """Kill one of the processes, and wait until another one is there."""
        count = len(self.workers)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: len(self.workers) == count and pid not in self.workers, within_s=PATIENCE_S)

    async def stopped(self, how: signal.Signals = signal.SIGTERM, *, within_s: float = PATIENCE_S) -> int:
        """Tell it to stop; return the exit status."""
        self.process.send_signal(how)
        async with asyncio.timeout(within_s):
            return await self.process.wait()


@asynccontextmanager
async def several(
    folder: Path, *upstreams: str, workers: int = 2, settings: str = "", auth: str = "none"
) -> AsyncIterator[Several]:
    """Run `vllm-gateway serve --workers N` with an admin listener."""
    fixed = f"auth: {{mode: {auth}, admin_key: {ADMIN_KEY}}}\nadmin: {{port: 0}}\n"
    (folder / "gateway.yaml").write_text(fixed + settings)
    (folder / "gateway.yaml").chmod(0o600)
    named = [part for url in upstreams for part in ("--upstream", url)]
    log = folder / "gateway.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "vllm_gateway", "serve", "--port", "0", "--workers", str(workers), *named),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env={**PLAIN, "XDG_STATE_HOME": str(folder)},
        )
    try:
        printed = await _first_words(process, log)
        http, admin = re.findall(r"http://127\.0\.0\.1:\d+", printed)[:2]
        async with (
            httpx2.AsyncClient(base_url=http, timeout=PATIENCE_S, trust_env=False) as client,
            httpx2.AsyncClient(
                base_url=admin, timeout=PATIENCE_S, trust_env=False, headers={"authorization": f"Bearer {ADMIN_KEY}"}
            ) as admin_client,
        ):
            yield Several(process, client, admin_client, log, printed)
    finally:
        if process.returncode is None:
            process.kill()
        async with asyncio.timeout(PATIENCE_S):
            await process.communicate()  # which ends when the last of them has: all hold its output open


async def met(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when it holds; what is looked at lies in other processes."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - they tell nobody
            await asyncio.sleep(0.05)


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Say whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def _first_words(process: asyncio.subprocess.Process, log: Path) -> str:
    assert process.stdout is not None
    printed = b""
    async with asyncio.timeout(PATIENCE_S):
        while b"curl" not in printed:
            line = await process.stdout.readline()
            assert line, log.read_text()  # noqa: ASYNC240 - the test is over
            printed += line
    return printed.decode()


def _established(port: int) -> set[str]:
    """Return the inodes of the gateway's own ends of connections to a port of it."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if int(row[1].partition(":")[2], 16) == port and row[3] == "01"}


def _sockets_of(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found
