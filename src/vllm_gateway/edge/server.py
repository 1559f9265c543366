"""The server under the door: uvicorn, with connections that have bounds, and a drain before the end."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from typing_extensions import override

from vllm_gateway.edge.connection import LINGER_S, Connections

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether, and how often, the process was asked to stop."""

    def __init__(self) -> None:
        self.times = 0

    def ask(self) -> None:
        """Ask: once to stop, twice not to wait for anything."""
        self.times += 1

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
        await super().startup(sockets)
        self._greet()

    @override
    async def on_tick(self, counter: int) -> bool:
        """Look whether it is time to stop."""
        return await super().on_tick(counter) or self._stop.times > 0

    @override
    async def main_loop(self) -> None:
        """Serve until asked to stop, then until the drain is over."""
        await super().main_loop()
        self._connections.end()
        await self._drain(lambda: self._stop.times > 1)
        self.force_exit = self._stop.times > 1
        asyncio.get_running_loop().call_later(LINGER_S, self._drop_connections)

    def _drop_connections(self) -> None:
        """Close what is still open after the end: somebody who does not read would hold it up."""
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `Stop`: they may come before there is a server."""
        yield
