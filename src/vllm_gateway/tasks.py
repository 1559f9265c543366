"""Owned background tasks: the only place that creates one.

The event loop keeps only weak references to tasks, and a task that dies alone takes its error with it. A `Tasks`
keeps both: each task has a name, a failure is logged with that name, and closing the owner ends them all.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)


class Tasks:
    """Background tasks of one owner, ended together by `close`."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
        """Run `work` until it ends or the owner closes; its failure is logged, never lost."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # kept, because asking for it is a system call in Python 3.11
        task = self._loop.create_task(work, name=f"{self._owner}: {name}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self, *, within_s: float) -> None:
        """Let every task come to its own end, those too that others start meanwhile; then end those that are left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._running:
                    await asyncio.wait(set(self._running))
        await self.close()

    async def close(self) -> None:
        """End every task and wait until all of them are gone."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("task %r failed", task.get_name(), exc_info=failure)
