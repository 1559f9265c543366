"""What becomes of the faults of a store: one sentence for callers, one line in the log for each outage."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

from vllm_gateway.errors import StoreFailed
from vllm_gateway.sessions.store import Permit, SessionTaken
from vllm_gateway.tasks import Tasks

T = TypeVar("T")

log = logging.getLogger(__name__)

SENTENCE = "Conversations cannot be kept right now. Try again in a moment."
RETRY_AFTER_S = 5.0


class Outage:
    """Runs all operations of one store, and knows whether the store works.

    No operation is ever broken off: a command that is cut off half way leaves its connection in a state that nobody
    knows. A caller may leave, or lose patience after `limit_s`; what it asked for goes on to its end, for which the
    drivers have limits of their own.
    """

    def __init__(self, store: str, faults: tuple[type[Exception], ...], *, limit_s: float) -> None:
        self._store = store
        self._faults: tuple[type[Exception], ...] = (*faults, OSError, TimeoutError)
        self._limit_s = limit_s
        self.is_on = False
        """The last operation failed."""
        self.faults = 0
        """How many have failed."""
        self._tasks = Tasks(f"{store} store")
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, operation: Awaitable[T], permit: Permit | None = None) -> T:
        """Return what an operation gives; what its driver raises becomes the one error that callers know.

        An operation with a `permit` that takes too long will not be kept; once it is being committed, what comes of
        that is waited for, as long again.
        """
        task = self._tasks.start(self._settle(operation), name="operation")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            settled = await self._within_limit(task)
        except TimeoutError as fault:
            failed = self._begin(fault)
            if permit is None or permit.withdraw():
                raise failed from fault
            try:
                settled = await self._within_limit(task)
            except TimeoutError:
                raise failed from fault
        if isinstance(settled, StoreFailed | SessionTaken):
            raise settled
        return settled

    async def close(self) -> None:
        """Wait for the end of what is under way, within the limit."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._limit_s)
        await self._tasks.close()

    async def _within_limit(self, task: "asyncio.Task[T]") -> T:
        async with asyncio.timeout(self._limit_s):
            return await asyncio.shield(task)

    async def _settle(self, operation: Awaitable[T]) -> T | StoreFailed | SessionTaken:
        """Return what callers expect to be raised, because nobody may be left to take it."""
        try:
            result = await operation
        except SessionTaken as taken:
            return taken
        except StoreFailed as fault:
            self._begin(fault)
            return fault
        except self._faults as fault:
            failed = self._begin(fault)
            failed.__cause__ = fault
            return failed
        if self.is_on:
            self.is_on = False
            log.warning("the %s store of conversations works again", self._store)
        return result

    def _begin(self, fault: Exception) -> StoreFailed:
        self.faults += 1
        if not self.is_on:
            self.is_on = True
            log.error("the %s store of conversations does not work: %s", self._store, _reason(fault))
        return StoreFailed(SENTENCE, retry_after_s=RETRY_AFTER_S)


def _reason(fault: Exception) -> str:
    """Return what went wrong without what was being kept: details and parameters stand on later lines."""
    inner = getattr(fault, "orig", None) or fault
    lines = str(inner).splitlines()
    return f"{type(inner).__name__}: {lines[0]}" if lines else type(inner).__name__
