"""One process at a time: a lock that its holder cannot forget, because the system takes it back."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TRIES = 500
PAUSE_S = 0.02


class LockTaken(OSError):
    """Another process has held the lock for all the time that we waited."""


@contextmanager
def locked(path: Path, *, tries: int = TRIES) -> Iterator[None]:
    """Hold the lock of a file, which is made if it is missing; it blocks while another process holds it.

    Raises:
        LockTaken: it was held for too long.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(tries):
            if _take(descriptor):
                break
            time.sleep(PAUSE_S)
        else:
            raise LockTaken(f"another process holds {path}")
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _take(descriptor: int) -> bool:
    """Try to take the lock; say whether it is ours."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - Windows only

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - everywhere else

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
