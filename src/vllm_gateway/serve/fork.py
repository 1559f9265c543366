"""A process that is forked off, and the channel to it."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

log = logging.getLogger(__name__)

STOP = b"s"
"""Told to a process: stop; a second time: do not wait for anything."""
RELOAD = b"h"
"""Told to a process: read the settings again."""
RELOADED = b"r"
"""Told by a process: the settings were read again, in all of them."""
END_OF_WORDS = b"\0"
"""Behind the first words of a process, which say that it is ready."""

if sys.platform != "win32":
    SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    """What a process group may get: they are for whoever watches over the others."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A process, and our end of the channel to it. It closes when the process is gone, and the other way round."""

    pid: int
    channel: socket.socket


def fork(work: Callable[[socket.socket], int], *, closing: Iterable[socket.socket]) -> Fork:
    """Run `work` in a process of its own, with its end of the channel; what it returns is the exit status.

    Signals do not reach it: a terminal, or whoever ends a service, sends them to all processes at once, and what is
    asked once must not count twice. `closing` is what it must not hold open.
    """
    ours, theirs = socket.socketpair()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # one that comes in between would count here
    try:
        pid = os.fork()
        if pid == 0:
            _live(work, theirs, (ours, *closing), before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return Fork(pid, ours)


def _live(
    work: Callable[[socket.socket], int],
    channel: socket.socket,
    closing: Iterable[socket.socket],
    mask: Iterable[int],
) -> NoReturn:
    """Be the other process, and never come back to what this one was doing."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for inherited in closing:
            inherited.close()
        status = work(channel)
    except BaseException:  # the last edge of this process
        log.exception("a worker failed")
    finally:
        logging.shutdown()
        os._exit(status)
