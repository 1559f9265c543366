"""Whether the gateway is there: looked at rarely while it is, and often while it is not."""

import asyncio
from typing import Protocol

from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.faults import Refused, Unreachable

_SELDOM_S = 10.0
_OFTEN_S = 1.0
_PATIENCE_S = 5.0


class Changed(Protocol):
    """Is told when the gateway goes or comes."""

    def __call__(self, *, is_up: bool) -> None:
        """It is there, or it is not."""
        ...


class Link:
    """Looks at the gateway as long as the chat runs."""

    def __init__(
        self, client: Client, changed: Changed, *, seldom_s: float = _SELDOM_S, often_s: float = _OFTEN_S
    ) -> None:
        self.is_up = True
        self._client = client
        self._changed = changed
        self._seldom_s = seldom_s
        self._often_s = often_s
        self._look_now = asyncio.Event()
        self._is_back = asyncio.Event()

    async def watch(self) -> None:
        """Look again and again."""
        while True:
            self._note(is_up=await self._look())
            self._look_now.clear()
            try:
                async with asyncio.timeout(self._seldom_s if self.is_up else self._often_s):
                    await self._look_now.wait()
            except TimeoutError:
                continue

    async def back(self) -> None:
        """Take it that the gateway is away, and return when it is there again."""
        self._is_back.clear()
        self._note(is_up=False)
        await self._is_back.wait()

    def _note(self, *, is_up: bool) -> None:
        was_up, self.is_up = self.is_up, is_up
        if is_up:
            self._is_back.set()
        if was_up != is_up:
            self._look_now.set()
            self._changed(is_up=is_up)

    async def _look(self) -> bool:
        try:
            await self._client.get("/livez", patience_s=_PATIENCE_S)
        except Unreachable:
            return False
        except Refused:
            return True
        return True
