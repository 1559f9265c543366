"""The gateway as a program of its own: for what would break the tests' own process, or can be measured only there."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.waiting import PATIENCE_S

CLEAN = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}  # noqa: TID251 - a test's own
LIMITED = 'ulimit -n "$0"; exec "$@"'


class Program:
    """A running `vllm-gateway serve`."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, admin_url: str = "") -> None:
        self.process = process
        self.url = url
        self.admin_url = admin_url
        """Where the admin routes are; empty without them."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    @property
    def most_memory_bytes(self) -> int:
        """The most that it has ever had in memory at once."""
        found = re.search(r"VmHWM:\s+(\d+) kB", self._told("status"))
        assert found is not None
        return int(found[1]) * 1024

    @property
    def cpu_s(self) -> float:
        """How long it has computed."""
        fields = self._told("stat").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def files(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def _told(self, what: str) -> str:
        return Path(f"/proc/{self.process.pid}/{what}").read_text()


@asynccontextmanager
async def program(folder: Path, *upstreams: str, most_files: int = 4096, **settings: str) -> AsyncIterator[Program]:
    """Run it in front of these, with so many files at most and with settings in the environment; kill it at the end."""
    flags = [flag for url in upstreams for flag in ("--upstream", url)]
    environment = CLEAN | {"GATEWAY_SESSION__BACKEND": "memory"} | settings
    with (folder / "gateway.log").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", LIMITED, str(most_files), sys.executable, "-m", "vllm_gateway", "serve", "--port", "0"),
            *flags,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=environment,
        )
    try:
        printed = b""
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while b"curl" not in printed:
                line = await process.stdout.readline()
                assert line, (folder / "gateway.log").read_text()
                printed += line
        address = re.search(rb"http://127\.0\.0\.1:\d+", printed)
        assert address is not None
        admin = re.search(rb"Admin routes on (http://[^\s,]+)", printed)
        yield Program(process, address.group().decode(), admin[1].decode() if admin is not None else "")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # unlike `wait` it closes the pipe, too
