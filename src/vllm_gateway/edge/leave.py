"""Callers who wait for leave to send a body: who got none is not heard further.

Whether the body follows all the same or the next request, nobody can know; one must not be taken for the other.
"""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class Closing:
    """A transport as uvicorn's request uses it, which is closed in another way."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


def without_leave(app: ASGIApp, cycle: RequestResponseCycle, close: Callable[[], None]) -> ASGIApp:
    """Return `app`, whose reply in this cycle is the last of its connection if it begins before leave was given."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and cycle.waiting_for_100_continue and cycle.more_body:
                cycle.keep_alive = False
                cycle.transport = Closing(cycle.transport, close)  # type: ignore[assignment]  # all that a cycle uses of it
            await send(message)

        await app(scope, receive, send_last)

    return run
