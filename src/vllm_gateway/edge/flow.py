"""When a connection is not read from."""

import asyncio
from collections.abc import Sized

from typing_extensions import override
from uvicorn.protocols.http.flow_control import FlowControl

MOST_WAITING = 16
"""Requests of one connection that may wait for the one before; with more, it is not read from, as uvicorn does."""


class BoundedFlow(FlowControl):
    """A connection's flow, which stands still while too many requests wait, whoever wants to go on."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    @override
    def resume_reading(self) -> None:
        if self.read_paused and len(self._waiting) <= MOST_WAITING:
            super().resume_reading()
