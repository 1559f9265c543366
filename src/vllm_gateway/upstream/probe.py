"""A look at every replica, again and again: is it well, and what does it serve?"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from vllm_gateway import codec
from vllm_gateway.clock import Clock
from vllm_gateway.settings.fleet import Probe as ProbeSettings
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.gauges import Gauges, read_gauges
from vllm_gateway.upstream.health import Ejecting, Sign
from vllm_gateway.upstream.pace import Pace
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.progress import Progress
from vllm_gateway.upstream.replica import IDLE_S, Replica
from vllm_gateway.upstream.sleeping import look as look_whether_asleep
from vllm_gateway.upstream.sleeping import sleep_state

log = logging.getLogger(__name__)

_REFRESH_PAUSE_S = 1.0
"""Unknown names may make the gateway look again, but not more often than this."""
_LEAST_PAUSE_S = 0.02
"""Between two looks, however slow the replicas are and however short the settings."""
MAX_PAGE_BYTES = 1024 * 1024
"""Of a replica's metrics no more is kept for others to read; vLLM's come to some 60 KB for each engine."""
_OK = 200


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
        self._ejecting = Ejecting(settings.eject_s, settings.most_eject_s)
        self._clock = clock
        self._tasks = Tasks("prober")
        self._round: asyncio.Task[None] | None = None
        self._looked_at = -_REFRESH_PAUSE_S

    async def open(self) -> None:
        """Look at every replica once, and go on looking in the background."""
        await self.look()
        self._tasks.start(self._keep_looking(), name="rounds")

    def take_over(self, settings: ProbeSettings, *, most_waiting: int) -> None:
        """Look like this from the next round on."""
        self._settings = settings
        self._ejecting = Ejecting(settings.eject_s, settings.most_eject_s)
        self._most_waiting = most_waiting

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
            await asyncio.sleep(self._pause_s())
            await self.look()

    def _pause_s(self) -> float:
        """Return when to look next: at the usual time, or when it is settled that a replica that stands still does."""
        now = self._clock.now()
        at = self._looked_at + self._settings.every_s
        if self._settings.stalled_s:
            still = [replica.progress.still_since() for replica in self._pool.replicas]
            due = [since + self._settings.stalled_s for since in still if since is not None]
            at = min(at, *(each for each in due if each > now), at)
        return max(at - now, _LEAST_PAUSE_S)

    async def _look(self) -> None:
        self._looked_at = self._clock.now()
        await asyncio.gather(*(self._look_at(replica) for replica in self._pool.replicas))

    async def _look_at(self, replica: Replica) -> None:
        replica.ejecting = self._ejecting
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._ask(replica)
        except (ConnectionFault, TimeoutError, _NotWell) as reason:
            log.debug("probe of %s: %s", replica.name, str(reason) or "no answer in time")
            is_unreachable = isinstance(reason, ConnectionFault)
            replica.progress = Progress()
            replica.pace = Pace()
            replica.page = b""
            replica.see(Sign.UNREACHABLE if is_unreachable else Sign.PROBE_FAILED)
        else:
            replica.see(await self._look_inside(replica))
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
        models = _models(body) if status == _OK else None
        if models is None:
            raise _NotWell(f"/v1/models says {status}")
        replica.latency_s = self._clock.now() - asked_at
        replica.models = models

    async def _look_inside(self, replica: Replica) -> Sign:
        """Take in what a replica that is well tells beyond that; return whether it gets on with its work.

        One that tells nothing, or not in time, is no worse for that.
        """
        outstanding = replica.outstanding
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._ask_version(replica)
                page = await _page(replica, "/metrics")
                replica.page = page if len(page) <= MAX_PAGE_BYTES else b""
                await self._see_sleep(replica, page)
        except (ConnectionFault, TimeoutError) as reason:
            log.debug("metrics of %s: %s", replica.name, str(reason) or "no answer in time")
            replica.page = b""
            replica.pace = Pace()
            return Sign.STALLED if replica.health.cause is Sign.STALLED else Sign.PROBE_ANSWERED
        gauges = read_gauges(page)
        replica.pace = replica.pace.after(gauges, self._clock.now())
        if gauges is None:
            return Sign.PROBE_ANSWERED
        own = max(outstanding, replica.outstanding)  # the page is from between the two
        replica.others = max(0, gauges.running + gauges.waiting - own)
        if self._most_waiting:
            replica.learn_room(gauges.waiting, most_waiting=self._most_waiting)
        return self._judge(replica, gauges)

    async def _ask_version(self, replica: Replica) -> None:
        """Ask once each time it comes in: it does not change while it runs."""
        if not replica.version:
            replica.version = _version(await _page(replica, "/version"))
            if not replica.version:
                replica.lacks.add("/version")

    async def _see_sleep(self, replica: Replica, page: bytes) -> None:
        if replica.wakes_on_request:
            await look_whether_asleep(replica)
        elif (is_sleeping := sleep_state(page)) is not None:
            replica.is_sleeping = is_sleeping

    def _judge(self, replica: Replica, gauges: Gauges) -> Sign:
        """Say whether a replica gets on with its work."""
        now, stalled_s = self._clock.now(), self._settings.stalled_s
        replica.progress = replica.progress.after(gauges, now)
        if stalled_s and replica.progress.is_stalled(now, stalled_s):
            return Sign.STALLED
        return Sign.PROGRESSED if replica.progress.has_moved else Sign.PROBE_ANSWERED


class _NotWell(Exception):
    """The replica answered, and its answer is no good."""


async def _page(replica: Replica, path: str) -> bytes:
    """Return what a replica tells at `path`; nothing where it has no such route, which is asked only once."""
    if path in replica.lacks:
        return b""
    status, _, body = await ask(replica, b"GET", path)
    if status in {404, 405}:
        replica.lacks.add(path)
    return body if status == _OK else b""


def _version(body: bytes) -> str:
    try:
        value = codec.loads(body)
    except codec.MalformedJson:
        return ""
    version = value.get("version") if isinstance(value, dict) else None
    return version if isinstance(version, str) else ""


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
