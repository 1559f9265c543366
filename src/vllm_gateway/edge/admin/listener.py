"""A second server beside the main one, in the same loop: it is there before the first request and after the last."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn

from vllm_gateway.edge.server import Server, Stop
from vllm_gateway.tasks import Tasks


@asynccontextmanager
async def serving_beside(config: uvicorn.Config, listener: socket.socket) -> AsyncIterator[None]:
    """Serve on `listener` for as long as this is open; on leaving, let answers under way come to their end."""
    stop = Stop()
    running = Tasks("admin").start(Server(config, stop=stop, drain=_at_once).serve(sockets=[listener]), name="listener")
    try:
        yield
    finally:
        stop.ask()
        await running


async def _at_once(is_forced: Callable[[], bool]) -> None:
    """Wait for nothing: what is answered here takes no time."""
