"""The server under the door: uvicorn, with connections that have bounds, and a drain before the end."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from typing_extensions import override

from vllm_gateway.edge.connection import LINGER_S, Connections

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_DATE_S = 1.0
"""How long the date that all answers carry is used."""
_ACCEPTED_AT_ONCE = 16
"""Connections that one turn of the loop may accept. By itself uvloop accepts one, and a turn is long when a thousand
streams bring something in each."""
_LOOK_S = 0.002
"""At the end: until it is seen that the last connection is gone."""


class Stop:
    """Whether, and how often, the process was asked to stop."""

    def __init__(self) -> None:
        self.times = 0
        self._wake: Callable[[], object] | None = None

    def ask(self) -> None:
        """Ask: once to stop, twice not to wait for anything. May be called by a signal."""
        self.times += 1
        if self._wake is not None:
            self._wake()

    async def asked(self, *, within_s: float) -> None:
        """Return as soon as it is asked, and after this time in any case."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)  # a signal does not wake the loop by itself
        try:
            if not self.times:
                async with asyncio.timeout(within_s):
                    await woken.wait()
        except TimeoutError:
            pass
        finally:
            self._wake = None

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT ask. Unlike uvicorn's way, a stop on request is a success and no death by signal."""
        before: dict[signal.Signals, Any] = {each: signal.signal(each, lambda *_: self.ask()) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


class Server(uvicorn.Server):
    """A server that, asked to stop, first finishes what is under way, while it still answers probes."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        stop: Stop,
        drain: Callable[[Callable[[], bool]], Awaitable[None]],
        greet: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._connections = Connections()
        self.server_state = self._connections
        self._stop = stop
        self._drain = drain
        self._greet = greet

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets and accepting_more(sockets))
        self._greet()

    @override
    async def on_tick(self, counter: int) -> bool:
        """Look whether it is time to stop."""
        return await super().on_tick(counter) or self._stop.times > 0

    @override
    async def main_loop(self) -> None:
        """Serve until asked to stop, then until the drain is over."""
        while not await self.on_tick(0):  # of which there are ten in a second: the first one renews the date
            await self._stop.asked(within_s=_DATE_S)
        self._connections.end()
        await self._drain(lambda: self._stop.times > 1)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, let the last words leave, and close what is still open then."""
        for each in (*self.servers, *(sockets or ())):
            each.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        last_words_s = self.config.timeout_graceful_shutdown or 0
        await self._quiet(within_s=min(LINGER_S, last_words_s))
        self._drop_connections()
        await self._quiet(within_s=max(last_words_s - LINGER_S, 0))
        for task in list(self.server_state.tasks):
            task.cancel()

    async def _quiet(self, *, within_s: float) -> None:
        """Wait until nothing is open and nothing is answered any more, unless that takes too long."""
        state = self.server_state
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (state.connections or state.tasks) and self._stop.times < 2:  # noqa: ASYNC110, PLR2004 - no event tells of these; twice means at once
                    await asyncio.sleep(_LOOK_S)

    def _drop_connections(self) -> None:
        """Close what is still open: somebody who does not read would hold up the end."""
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `Stop`: they may come before there is a server."""
        yield


def accepting_more(sockets: list[socket.socket]) -> list[socket.socket]:
    """Return sockets that listen as these do, so many times that connections need not wait for each other's turn."""
    if sys.platform == "win32":
        return sockets
    return sockets + [each.dup() for each in sockets for _ in range(_ACCEPTED_AT_ONCE - 1)]
