"""Waiting for what cannot be subscribed to."""

import asyncio
from collections.abc import Callable

PATIENCE_S = 30.0
"""How long a slow machine may take for anything. Only a test that fails waits so long."""


async def until(condition: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    """Return as soon as `condition` holds; raise `TimeoutError` when it does not in time."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - a test may wait for what tells nobody
            await asyncio.sleep(0.002)
