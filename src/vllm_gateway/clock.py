"""Time, as a thing that is handed in: the gateway runs on `SystemClock`, tests on a clock that they move."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the gateway asks of time."""

    def now(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, for people and for other machines."""
        ...


class SystemClock:
    """The machine's own clocks."""

    now = staticmethod(time.monotonic)  # noqa: TID251 - this is the room that the ban points to
    wall = staticmethod(time.time)  # noqa: TID251 - this is the room that the ban points to


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 0.0, wall: float = 1_700_000_000.0) -> None:
        self._now = now
        self._wall = wall

    def now(self) -> float:
        """Return the seconds moved so far."""
        return self._now

    def wall(self) -> float:
        """Return the wall time that belongs to `now`."""
        return self._wall

    def move(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += seconds
        self._wall += seconds
