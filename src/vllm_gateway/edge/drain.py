"""The orderly end: no new work, what runs may finish, and what does not finish is told so."""

import asyncio
import logging
import math
from collections.abc import Callable

from vllm_gateway.clock import Clock
from vllm_gateway.errors import Draining
from vllm_gateway.exchange import Exchange
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.telemetry.ledger import Ledger

log = logging.getLogger(__name__)

_LOOK_S = 0.05
_QUIET_S = 7.0
"""How long nothing may have come on old connections before they are closed: the pools of most clients use one again
for five seconds, and see late that it is gone."""
_FAREWELL_S = 1.0
"""How long the last error events may take to leave."""


class Drain:
    """Brings the exchanges under way to their end.

    With a delay nobody loses a request, wherever it is sent. While the delay lasts, everything is answered, and each
    answer closes its connection. Behind it only those are refused who connect now: they could have known. Whoever has a
    connection from before gets the answer that tells to close it, however late the last one there ends.
    """

    def __init__(self, pipeline: Pipeline, ledger: Ledger, *, delay_s: float, drain_s: float, clock: Clock) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._delay_s = delay_s
        self._drain_s = drain_s
        self._clock = clock
        self._busy_at = 0.0
        """When something was under way last."""

    def take_over(self, pipeline: Pipeline, *, delay_s: float, drain_s: float) -> None:
        """End what this pipeline runs, and give it so many seconds."""
        self._pipeline = pipeline
        self._delay_s = delay_s
        self._drain_s = drain_s

    async def run(self, is_forced: Callable[[], bool]) -> None:
        """Refuse new work after the delay, wait for the old, and tell what then still runs that it is over."""
        quiet_s = 0.0
        self._busy_at = self._clock.now()
        if self._delay_s:
            quiet_s = _QUIET_S
            self._pipeline.still_takes = _everything
            self._pipeline.is_draining = True
            log.info("not ready any more; new requests are answered for another %g s", self._delay_s)
            await self._wait(self._delay_s, is_forced, quiet_s=math.inf)
            self._pipeline.still_takes = _is_expected
        self._pipeline.is_draining = True
        if self._ledger.live:
            log.info("finishing %d requests, at most %g s", len(self._ledger.live), self._drain_s)
        await self._wait(self._drain_s, is_forced, quiet_s=quiet_s)
        for exchange in list(self._ledger.live.values()):
            exchange.stop(Draining("The gateway shut down before the answer was complete."))
        await self._wait(_FAREWELL_S, lambda: False)

    async def _wait(self, at_most_s: float, is_forced: Callable[[], bool], *, quiet_s: float = 0.0) -> None:
        """Wait until nothing has been under way for a while, but not for ever."""
        now = self._clock.now()
        until = now + at_most_s
        while not is_forced() and now < until and (self._ledger.live or now < self._busy_at + quiet_s):
            if self._ledger.live:
                self._busy_at = now
            await asyncio.sleep(_LOOK_S)
            now = self._clock.now()


def _everything(_: Exchange) -> bool:
    return True


def _is_expected(exchange: Exchange) -> bool:
    return exchange.is_expected
