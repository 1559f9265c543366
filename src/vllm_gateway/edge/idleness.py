"""How long a connection may be open on which nothing is asked, and what it keeps meanwhile."""

import asyncio
from typing import Protocol

QUIET_S = 5.0
"""How long what was asked and answered last is kept: it takes more memory than the connection itself."""
_LOOK_S = 1.0


class Connection(Protocol):
    """What is looked at."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport

    def is_unused(self) -> bool:
        """Say whether nothing is being asked or answered."""
        ...

    def forget(self) -> None:
        """Keep nothing of what was asked and answered."""
        ...


class Idleness:
    """Looks now and then whether a connection is used; one that is used again and again sets no timer each time."""

    __slots__ = ("_connection", "_has_forgotten", "_keep_s", "_since", "_timer")

    def __init__(self, connection: Connection, *, keep_s: float) -> None:
        self._connection = connection
        self._keep_s = keep_s
        self._since = connection.loop.time()
        """When the last answer ended, on the loop's clock."""
        self._timer = connection.loop.call_later(min(QUIET_S, keep_s), self._look)
        self._has_forgotten = False

    def begin(self) -> None:
        """Count from now on: an answer has just ended."""
        self._since = self._connection.loop.time()
        if self._has_forgotten:
            self._has_forgotten = False
            self._timer.cancel()
            self._timer = self._connection.loop.call_later(min(QUIET_S, self._keep_s), self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        """Close the connection when it was not used for long enough; before that, have it forget."""
        connection = self._connection
        if connection.transport.is_closing():
            return
        idle_s = connection.loop.time() - self._since if connection.is_unused() else 0.0
        left_s = self._keep_s - idle_s
        if left_s <= 0:
            connection.transport.close()
            return
        if idle_s >= QUIET_S:
            connection.forget()
            self._has_forgotten = True
        else:
            left_s = min(left_s, QUIET_S)
        self._timer = connection.loop.call_later(max(left_s, _LOOK_S), self._look)
