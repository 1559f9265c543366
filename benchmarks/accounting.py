"""What processes cost, read from Linux's /proc: CPU seconds and peak memory of a tree of processes."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vllm_gateway.clock import SystemClock

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ProcessGone(Exception):
    """A process ended while it was measured."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What matters of `/proc/<pid>/stat`."""

    parent: int
    cpu_s: float


def read_stat(text: str) -> Stat:
    """Read `/proc/<pid>/stat`; the name of the program, in brackets, may hold spaces and brackets itself."""
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(parent=int(fields[1]), cpu_s=(int(fields[11]) + int(fields[12])) / TICKS_PER_S)


def read_rss_bytes(status: str, *, is_peak: bool = False) -> int:
    """Return the memory that `/proc/<pid>/status` tells, now or at its peak; a process that is ending has none."""
    name = "VmHWM:" if is_peak else "VmRSS:"
    for line in status.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def read_busy_s(stat: str) -> float:
    """Return the CPU seconds of all programs of the machine, from `/proc/stat`."""
    user, nice, system = (int(field) for field in stat.split()[1:4])
    return (user + nice + system) / TICKS_PER_S


def descendants(root: int, parents: Iterable[tuple[int, int]]) -> list[int]:
    """Return a process and all that descend from it, out of pairs of a process and its parent."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents:
        children.setdefault(parent, []).append(pid)
    tree = [root]
    for pid in tree:  # grows while it is read
        tree += children.get(pid, ())
    return tree


def tree_of(root: int) -> list[int]:
    """Return a process and all that descend from it now."""
    found = []
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it ended meanwhile
                found.append((int(folder.name), read_stat((folder / "stat").read_text()).parent))
    return descendants(root, found)


@dataclass(frozen=True, slots=True)
class Sample:
    """The meters at one moment; only the difference of two means anything."""

    at_s: float
    target_cpu_s: float
    replica_cpu_s: float
    client_cpu_s: float
    other_cpu_s: float
    """Of all programs that are no part of the run."""


class Watch:
    """The meters of a run: of the target's process tree, of the replica, of this process, and of the machine."""

    def __init__(self, *, target: int, replica: int) -> None:
        self._target = tree_of(target)
        self._replica = replica

    def sample(self) -> Sample:
        """Read the meters; raise `ProcessGone` when a process has ended."""
        cpu_s = {pid: read_stat(_read(pid, "stat")).cpu_s for pid in {*self._target, self._replica}}
        client_cpu_s = time.process_time()
        return Sample(
            at_s=SystemClock.now(),
            target_cpu_s=sum(cpu_s[pid] for pid in self._target),
            replica_cpu_s=cpu_s[self._replica],
            client_cpu_s=client_cpu_s,
            other_cpu_s=read_busy_s((PROC / "stat").read_text()) - sum(cpu_s.values()) - client_cpu_s,
        )

    def reset_peak_rss(self) -> None:
        """Begin a new peak, where the system allows it."""
        for pid in self._target:
            with suppress(OSError):
                (PROC / str(pid) / "clear_refs").write_text("5")

    def peak_rss_bytes(self) -> int:
        """Return the peak memory of the target: the sum over its processes."""
        return sum(read_rss_bytes(_read(pid, "status"), is_peak=True) for pid in self._target)

    def rss_bytes(self) -> int:
        """Return the memory of the target now: the sum over its processes."""
        return sum(read_rss_bytes(_read(pid, "status")) for pid in self._target)


def _read(pid: int, name: str) -> str:
    try:
        return (PROC / str(pid) / name).read_text()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessGone(f"Process {pid} ended while it was measured.") from error
