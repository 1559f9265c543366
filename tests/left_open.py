"""Whoever leaves something open is told so, and not the test that happens to run when it is found."""

import asyncio
import gc
import sys
import warnings

from typing_extensions import override

if sys.platform == "win32":
    from asyncio import ProactorEventLoop as Loop
else:
    from uvloop import Loop

_LAPS = 5
"""What was closed at last needs one or two to be gone."""


class LeftOpen(AssertionError):
    """A test left sockets or pipes open; `str()` of it names them."""


class WatchedLoop(Loop):
    """The event loop of one test: it closes what the test has left open, and fails the test for it."""

    @override
    def close(self) -> None:
        if self.is_closed():
            return
        self.run_until_complete(_settle())
        with warnings.catch_warnings(record=True) as left:
            warnings.simplefilter("always")
            super().close()
            if left:
                gc.collect()  # what belongs to it would speak up later, in the middle of another test
        if left:
            raise LeftOpen("This test left open: " + "; ".join(str(each.message) for each in left))


async def _settle() -> None:
    for _ in range(_LAPS):
        await asyncio.sleep(0)
