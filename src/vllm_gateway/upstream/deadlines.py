"""One coarse timer for all attempts: one timer for every read of every stream would cost more than the read."""

import asyncio
from typing import Protocol

from vllm_gateway.clock import Clock

TICK_S = 0.25
"""How late a deadline may be noticed. Time-outs are seconds long, so nobody misses the difference."""


class Timed(Protocol):
    """Something that must not take for ever."""

    def check(self, now: float) -> None:
        """Give up if it is too late."""
        ...


class Deadlines:
    """Asks everything that is under way, four times a second, whether it is too late."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timed: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._timed)

    def add(self, timed: Timed) -> None:
        """Ask `timed` from now on."""
        self._timed.add(timed)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def remove(self, timed: Timed) -> None:
        """Ask it no more."""
        self._timed.discard(timed)

    def close(self) -> None:
        """Ask nothing any more."""
        self._timed.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        now = self._clock.now()
        for timed in list(self._timed):
            timed.check(now)
        if self._timed:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)
