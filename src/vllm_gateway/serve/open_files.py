"""How many files the process may have open: a stream takes two, one to the caller and one to the replica."""

import contextlib
import sys

MOST = 1_048_576
"""More is never asked for: some systems name a limit that they do not keep."""


def raise_limit() -> None:
    """Take what the system allows at most; what a process has at first is often made for programs of another kind."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):  # the system has a limit of its own: then it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
