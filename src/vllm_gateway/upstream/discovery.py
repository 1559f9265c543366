"""Replicas that come and go: names that stand for several servers, and a file that lists replicas.

One address is one replica. With vLLM's data parallelism that is what is wanted: several API servers
(`--api-server-count`) and ranks behind one address share their work among themselves, and there is nothing to discover.
Ranks that listen each at a port of their own (`--data-parallel-external-lb`) are upstreams of their own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from vllm_gateway.clock import Clock
from vllm_gateway.settings.fleet import Discovery as DiscoverySettings
from vllm_gateway.settings.model import Upstream
from vllm_gateway.settings.upstream_list import read_upstreams_here
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.replica import CONFIGURED
from vllm_gateway.upstream.resolving import Addresses, Lookup, Resolved, is_literal, system_lookup
from vllm_gateway.upstream.watched_file import WatchedFile

log = logging.getLogger(__name__)

LISTED = "file"
"""Source of the replicas that the file lists."""
_FIRST_S = 5.0
"""So long the first answer for a name may take; until there is one, the name is one replica."""


_LOOKS = 2
"""The first may have begun before the new replicas came."""


class Known(Protocol):
    """A replica, as far as it has been looked at."""

    is_known: bool


class ChangingPool(Protocol):
    """Replicas of several sources."""

    def prepare(self, source: str, upstreams: Iterable[Upstream]) -> Sequence[Known]:
        """Let those come that `follow` would add."""
        ...

    def follow(self, source: str, upstreams: Iterable[Upstream]) -> object:
        """Make the replicas of one source those that are wanted."""
        ...


class Discovery:
    """Keeps the pool at what the names and the file say."""

    def __init__(
        self,
        pool: ChangingPool,
        upstreams: Sequence[Upstream],
        settings: DiscoverySettings,
        look: Callable[[], Awaitable[Any]],
        *,
        clock: Clock,
        ask: Callable[[str], Addresses] = system_lookup,
        workers: int = 1,
    ) -> None:
        """Follow what changes.

        Args:
            pool: What is kept up to date.
            upstreams: Those of the settings.
            settings: The file, and how often to look.
            look: Looks at all replicas, so that new ones are known.
            clock: The gateway's time.
            ask: Asks the system for the addresses of a name.
            workers: How many processes do the same; the file may list nothing that they could not do together.
        """
        self._pool = pool
        self._configured = tuple(upstreams)
        self._every_s = settings.every_s
        self._file = (
            WatchedFile(settings.file, read=partial(read_upstreams_here, workers=workers))
            if settings.file is not None
            else None
        )
        self._look = look
        self._clock = clock
        self._ask = ask
        self._lookups: dict[str, Lookup] = {}
        self._now: dict[str, list[Upstream]] = {CONFIGURED: list(upstreams), LISTED: []}
        """What the pool was told last, by source."""
        self._turn = asyncio.Lock()
        """Who finds out and tells is alone: an answer that took long must not undo a newer one."""
        self._tasks = Tasks("discovery")
        self._keeping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Find all replicas once, and go on in the background if they can change; nobody is looked at yet."""
        await self._refresh(self._follow)
        self._keep()

    async def close(self) -> None:
        """Find nothing more."""
        await self._tasks.close()

    async def take_over(self, upstreams: Sequence[Upstream]) -> list[Upstream]:
        """Follow other upstreams of the settings from now on; return what they stand for now, for the pool."""
        async with self._turn:
            self._configured = tuple(upstreams)
            found = self._now[CONFIGURED] = await self._expanded(upstreams)
        self._keep()
        return found

    def _keep(self) -> None:
        """Look again and again, where anything can change."""
        is_changing = self._file is not None or any(each.resolve for each in self._configured)
        if is_changing and self._keeping is None:
            self._keeping = self._tasks.start(self._keep_looking(), name="rounds")

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._refresh(self._change)
            except Exception:  # the edge of a task that must outlive every surprise
                log.exception("the replicas could not be looked for")

    async def _refresh(self, tell: Callable[[str, list[Upstream]], Awaitable[None]]) -> None:
        """Look at the names and at the file, and tell of what has changed."""
        async with self._turn:
            if self._file is not None:
                await self._file.look()
            for source in (CONFIGURED, LISTED):
                found = await self._expanded(self._wanted(source))
                if found != self._now[source]:
                    await tell(source, found)
                    self._now[source] = found
            self._forget_names()

    def _wanted(self, source: str) -> Sequence[Upstream]:
        """Return the upstreams of one source, as they were written."""
        if source == CONFIGURED:
            return self._configured
        return self._file.upstreams if self._file is not None else ()

    def _forget_names(self) -> None:
        """Keep nothing of names that nobody mentions any more."""
        mentioned = {_host(each) for source in self._now for each in self._wanted(source)}
        for host in self._lookups.keys() - mentioned:
            del self._lookups[host]

    async def _follow(self, source: str, found: list[Upstream]) -> None:
        self._pool.follow(source, found)

    async def _change(self, source: str, found: list[Upstream]) -> None:
        """Let new replicas come and be looked at before others go, so that somebody is always there."""
        added = self._pool.prepare(source, found)
        for _ in range(_LOOKS):
            if not all(replica.is_known for replica in added):
                await self._look()
        self._pool.follow(source, found)

    async def _expanded(self, upstreams: Sequence[Upstream]) -> list[Upstream]:
        """Return the upstreams with a replica for every address of those that are to be looked up."""
        if not any(each.resolve for each in upstreams):
            return list(upstreams)
        found = await asyncio.gather(*(self._servers(each) for each in upstreams))
        return [each for servers in found for each in servers]

    async def _servers(self, upstream: Upstream) -> list[Upstream]:
        """Return what one upstream stands for; a name that was never found stands for itself."""
        host = _host(upstream)
        if not upstream.resolve or is_literal(host):
            return [upstream]
        lookup = self._lookups.get(host)
        if lookup is None:
            lookup = self._lookups[host] = Lookup(host, clock=self._clock, fresh_s=0.0, ask=self._ask)
        was_failing = lookup.is_failing
        try:
            async with asyncio.timeout(_FIRST_S):
                addresses = await lookup.addresses()
        except (OSError, TimeoutError):
            addresses = ()
        if lookup.is_failing and not was_failing:
            log.warning("a name of the route %s cannot be looked up; its replicas stay as they were", upstream.route)
        said = upstream.model_dump()
        return [Resolved(**said, ip=ip) for ip in sorted(addresses)] or [upstream]


def _host(upstream: Upstream) -> str:
    return urlsplit(upstream.url).hostname or ""
