"""One engine: it is started, awaited, and put to sleep where it shares its accelerator."""

import asyncio
import re
from collections.abc import Sequence

from vllm_gateway.clock import Clock
from vllm_gateway.launch.child import Child, Say
from vllm_gateway.launch.plan import Engine
from vllm_gateway.terminal.api import Client, Fault, Target

POLL_S = 0.5
TELL_EVERY_S = 15.0
MOST_STARTS = 3
"""One that has ended so often before it answered once has something that does not go away by itself."""
_AT_WORK = re.compile(rb"^vllm:num_requests_(?:running|waiting)\{[^}\n]*\} (\S+)$", re.MULTILINE)
_PATIENCE_S = 60.0


class NeverReady(Exception):
    """An engine does not come up; `str()` of it says where to look."""


class Started:
    """An engine that is kept running."""

    def __init__(self, engine: Engine, child: Child, *, say: Say, clock: Clock, poll_s: float = POLL_S) -> None:
        self.engine = engine
        self.child = child
        self._say = say
        self._clock = clock
        self._poll_s = poll_s
        self._client = Client(Target.at(engine.url))

    async def until_ready(self) -> None:
        """Return when it answers, and say meanwhile that it is being waited for.

        Raises:
            NeverReady: it ends again and again.
        """
        began = told = self._clock.now()
        while not await self._is_healthy():
            if self.child.starts >= MOST_STARTS and not self.child.is_running:
                raise NeverReady(
                    f"{self.engine.name} has ended {self.child.starts} times before it answered once. Its lines above "
                    "say why; most often the model does not fit into the memory (try --max-model-len) or is not found."
                )
            now = self._clock.now()
            if now - told >= TELL_EVERY_S:
                told = now
                self._say(f"is loading, for {now - began:.0f} s now")
            await asyncio.sleep(self._poll_s)
        self._say(f"is ready after {self._clock.now() - began:.0f} s")

    async def sleep(self) -> None:
        """Let it sleep; raise a `Fault` when it refuses."""
        await self._client.text("POST", "/sleep?level=1", patience_s=_PATIENCE_S)

    async def until_idle(self) -> bool:
        """Return when it answers nothing; say whether it is there at all."""
        while True:
            try:
                page = await self._client.text("GET", "/metrics", patience_s=_PATIENCE_S)
            except Fault:
                return False
            if not sum(float(number) for number in _AT_WORK.findall(page)):
                return True
            await asyncio.sleep(self._poll_s)

    async def _is_healthy(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._client.text("GET", "/health", patience_s=_PATIENCE_S)
        except (Fault, TimeoutError):
            return False
        return True


async def make_room(others: Sequence[Started]) -> None:
    """Let those on the same accelerator sleep when they are idle: one that is being loaded needs all of it."""
    for other in others:
        if await other.until_idle():
            try:
                await other.sleep()
            except Fault:
                continue  # it sleeps already, or is gone
