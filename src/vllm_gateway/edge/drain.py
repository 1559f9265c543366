"""The orderly end: no new work, what runs may finish, and what does not finish is told so."""

import asyncio
import logging
from collections.abc import Callable

from vllm_gateway.clock import Clock
from vllm_gateway.errors import Draining
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.telemetry.ledger import Ledger

log = logging.getLogger(__name__)

_LOOK_S = 0.05
_FAREWELL_S = 1.0
"""How long the last error events may take to leave."""


class Drain:
    """Brings the exchanges under way to their end."""

    def __init__(self, pipeline: Pipeline, ledger: Ledger, *, drain_s: float, clock: Clock) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._drain_s = drain_s
        self._clock = clock

    def take_over(self, pipeline: Pipeline, *, drain_s: float) -> None:
        """End what this pipeline runs, and give it so many seconds."""
        self._pipeline = pipeline
        self._drain_s = drain_s

    async def run(self, is_forced: Callable[[], bool]) -> None:
        """Refuse new work and wait for the old; after `drain_s`, or when forced, end what still runs with an error."""
        self._pipeline.is_draining = True
        if self._ledger.live:
            log.info("finishing %d requests, at most %g s", len(self._ledger.live), self._drain_s)
        await self._wait(self._drain_s, is_forced)
        for exchange in list(self._ledger.live.values()):
            exchange.stop(Draining("The gateway shut down before the answer was complete."))
        await self._wait(_FAREWELL_S, lambda: False)

    async def _wait(self, at_most_s: float, is_forced: Callable[[], bool]) -> None:
        until = self._clock.now() + at_most_s
        while self._ledger.live and not is_forced() and self._clock.now() < until:  # noqa: ASYNC110 - three things may end the wait
            await asyncio.sleep(_LOOK_S)
