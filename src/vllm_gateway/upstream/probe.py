"""A look at every replica, again and again: is it well, and what does it serve?"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from vllm_gateway import codec
from vllm_gateway.clock import Clock
from vllm_gateway.settings.model import Probe as ProbeSettings
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.gauges import read_gauges
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.pool import IDLE_S, Pool, Replica

log = logging.getLogger(__name__)

_REFRESH_PAUSE_S = 1.0
"""Unknown names may make the gateway look again, but not more often than this."""


class Prober:
    """Keeps what is known of the replicas up to date."""

    def __init__(
        self,
        pool: Pool,
        settings: ProbeSettings,
        *,
        clock: Clock,
        most_waiting: int = 0,
        looked_at: Callable[[Replica], None] | None = None,
    ) -> None:
        """Look at the replicas of `pool`.

        Args:
            pool: The replicas.
            settings: How often, and how long a look may take.
            clock: The gateway's time.
            most_waiting: So many requests may wait inside a replica; 0 does not look at that.
            looked_at: Is told of every replica that was looked at.
        """
        self._most_waiting = most_waiting
        self._tell = looked_at
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._tasks = Tasks("prober")
        self._round: asyncio.Task[None] | None = None
        self._looked_at = -_REFRESH_PAUSE_S

    async def open(self) -> None:
        """Look at every replica once, and go on looking in the background."""
        await self.look()
        self._tasks.start(self._keep_looking(), name="rounds")

    async def close(self) -> None:
        """Look no more."""
        await self._tasks.close()

    async def look(self) -> None:
        """Look at every replica now; whoever calls meanwhile waits for the same look."""
        if self._round is None or self._round.done():
            self._round = self._tasks.start(self._look(), name="one round")
        await asyncio.shield(self._round)

    async def look_again(self) -> None:
        """Look now, unless that was done a moment ago."""
        if self._clock.now() - self._looked_at >= _REFRESH_PAUSE_S:
            await self.look()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._settings.every_s)
            await self.look()

    async def _look(self) -> None:
        await asyncio.gather(*(self._look_at(replica) for replica in self._pool.replicas))
        self._looked_at = self._clock.now()

    async def _look_at(self, replica: Replica) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._ask(replica)
        except (ConnectionFault, TimeoutError, _NotWell) as reason:
            log.debug("probe of %s: %s", replica.name, str(reason) or "no answer in time")
            is_unreachable = isinstance(reason, ConnectionFault)
            replica.see(Sign.UNREACHABLE if is_unreachable else Sign.PROBE_FAILED)
        else:
            replica.see(Sign.PROBE_ANSWERED)
        replica.is_known = True
        if self._tell is not None:
            self._tell(replica)
        replica.close_idle(older_than_s=IDLE_S)

    async def _ask(self, replica: Replica) -> None:
        """Take in what a replica says of itself; raise when it is not well."""
        status = (await ask(replica, b"GET", "/health")).status
        if status not in {200, 404}:  # a server without this route may still be well
            raise _NotWell(f"/health says {status}")
        asked_at = self._clock.now()
        status, _, body = await ask(replica, b"GET", "/v1/models")
        models = _models(body) if status == 200 else None  # noqa: PLR2004
        if models is None:
            raise _NotWell(f"/v1/models says {status}")
        replica.latency_s = self._clock.now() - asked_at
        replica.models = models
        if self._most_waiting:
            await self._look_at_line(replica)

    async def _look_at_line(self, replica: Replica) -> None:
        """See how many requests wait inside a replica; one that does not tell is no worse for that."""
        status, _, page = await ask(replica, b"GET", "/metrics")
        gauges = read_gauges(page) if status == 200 else None  # noqa: PLR2004
        if gauges is not None:
            replica.learn_room(gauges.waiting, most_waiting=self._most_waiting)


class _NotWell(Exception):
    """The replica answered, and its answer is no good."""


def _models(body: bytes) -> dict[str, dict[str, Any]] | None:
    """Read the rows of `/v1/models` by id; None when it is no such list."""
    try:
        value = codec.loads(body)
    except codec.MalformedJson:
        return None
    rows = value.get("data") if isinstance(value, dict) else None
    if not isinstance(rows, list):
        return None
    return {row["id"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)}
