"""The machine itself: Python, open files, the clock."""

import sys
from datetime import UTC, datetime

from vllm_gateway import __version__
from vllm_gateway.doctor.finding import Finding, ok, warn

ENOUGH_FILES = 4096
"""A stream takes two: one to the caller, one to the replica."""
_NOT_BEFORE_S = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def look_at_versions(python: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    """Name the versions that a report of a defect needs."""
    return ok("versions", f"vllm-gateway {__version__}, Python {'.'.join(map(str, python))}, {sys.platform}")


def look_at_open_files(most: int | None = None) -> Finding:
    """Say for how many streams the files of one process do."""
    limit = _open_files() if most is None else most
    if limit is None:
        return ok("open files", "the system sets no limit that matters here")
    if limit < ENOUGH_FILES:
        cure = "Raise it: ulimit -Hn 65536, LimitNOFILE=65536 in a systemd unit, ulimits in Compose."
        return warn("open files", f"{limit} for a process, enough for about {limit // 2 - 50} streams at once", cure)
    return ok("open files", f"{limit} for a process")


def look_at_clock(wall_s: float) -> Finding:
    """Say whether the date can be true: limits per day, leases and keys that end go by it."""
    shown = datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if wall_s < _NOT_BEFORE_S:
        return warn("clock", f"it says {shown}, which is over", "Set it, best by a time service (chrony, timesyncd).")
    return ok("clock", shown)


def _open_files() -> int | None:
    """Return how many files a process may take; None: no limit. The gateway takes them all when it starts."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - there is none on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard
