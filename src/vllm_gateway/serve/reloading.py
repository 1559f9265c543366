"""The settings are read again while the gateway runs: checked first, then taken over at once, no stream dropped."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from typing_extensions import override

from vllm_gateway.admission.screen.patterns import ScreenUnusable
from vllm_gateway.edge.admin.control import Control, Reloaded
from vllm_gateway.edge.drain import Drain
from vllm_gateway.errors import Draining, FieldInvalid
from vllm_gateway.serve.changes import differing, effective, waits_for_restart
from vllm_gateway.serve.front import Fronts, Made
from vllm_gateway.serve.making import can_be_full
from vllm_gateway.serve.standing import Standing
from vllm_gateway.sessions.tokenizer import TokenizerUnusable
from vllm_gateway.settings.consistent import UNCOUNTED, UNSHARED
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.settings.pages.values import plain
from vllm_gateway.settings.places import written
from vllm_gateway.settings.problems import SettingsInvalid
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.pool import Change
from vllm_gateway.upstream.replica import CONFIGURED

log = logging.getLogger(__name__)

Read = Callable[[], Settings]
"""Reads the settings of all sources again; raises `SettingsInvalid`."""
_LOOKS = 2
"""The first may have begun before the new replicas came."""


class Reloading(Control):
    """Keeps what the gateway is made of at what the settings say."""

    def __init__(self, settings: Settings, standing: Standing, fronts: Fronts, drain: Drain, read: Read | None) -> None:
        self._settings = settings
        """Those that count."""
        self._standing = standing
        self._fronts = fronts
        self._drain = drain
        self._read = read
        self._lock = asyncio.Lock()
        self._tasks = Tasks("reload")
        standing.pool.told.append(self._make_rooms)

    async def close(self) -> None:
        """Change nothing any more."""
        self._standing.pool.told.remove(self._make_rooms)
        await self._tasks.close()

    def reload_soon(self, after: Callable[[], None] = lambda: None) -> None:
        """Read the settings again, as SIGHUP asks for; how that went is told in the log, and `after` called."""
        self._tasks.start(self._reload_quietly(after), name="on SIGHUP")

    @override
    def config(self) -> dict[str, Any]:
        shown = plain(self._settings)
        return shown if isinstance(shown, dict) else {}

    @override
    def check_new(self, upstream: Upstream) -> None:
        if upstream.max_concurrent and self._settings.workers > 1:
            raise FieldInvalid(f"'max_concurrent' {UNCOUNTED}.", param="max_concurrent")
        if upstream.accelerator and self._settings.workers > 1:
            raise FieldInvalid(f"'accelerator' {UNSHARED}.", param="accelerator")

    @override
    async def look(self) -> None:
        await self._standing.prober.look()

    @override
    async def reload(self) -> Reloaded:
        async with self._lock:
            if self._fronts.now.pipeline.is_draining:
                raise Draining("The gateway is shutting down.")
            try:
                read = await asyncio.to_thread(self._read) if self._read is not None else self._settings
                told = await self._take_over(read)
            except SettingsInvalid as invalid:
                problems = [problem.line for problem in invalid.problems]
                raise FieldInvalid(f"The settings stay as they were: {'; '.join(problems)}.") from invalid
            except (ScreenUnusable, TokenizerUnusable) as unusable:
                raise FieldInvalid(f"The settings stay as they were: {unusable}") from unusable
        log.info("settings read again: %s", ", ".join(told.changed) or "nothing has changed")
        if told.needs_restart:
            log.warning("these settings wait for a restart: %s", ", ".join(told.needs_restart))
        return told

    async def _take_over(self, read: Settings) -> Reloaded:
        """Make everything that is needed; then, without waiting for anything, put it in the place of what was."""
        standing, old = self._standing, self._settings
        settings = effective(old, read)
        await standing.tokenizers.read(settings.upstreams)
        upstreams: Sequence[Upstream] = await standing.engine.upstreams(settings)
        front = await self._fronts.made(settings)
        try:
            upstreams = await standing.discovery.take_over(upstreams)
            await self._introduce(upstreams)
        except BaseException:  # whatever it is, nobody will ever meet that front
            await front[1].aclose()
            raise
        change = self._swap(settings, front, upstreams)
        await self._fronts.tidy()
        places = list(differing(old, read))
        return Reloaded(
            changed=[written(place) for place in places if not waits_for_restart(place)],
            needs_restart=[written(place) for place in places if waits_for_restart(place)],
            removed=[replica.name for replica in change.removed],
        )

    async def _introduce(self, upstreams: Sequence[Upstream]) -> None:
        """Let new replicas come and be looked at while those that go are still there."""
        added = self._standing.pool.prepare(CONFIGURED, upstreams)
        for _ in range(_LOOKS):
            if all(replica.is_known for replica in added):
                return
            await self._standing.prober.look()

    def _swap(self, settings: Settings, front: Made, upstreams: Sequence[Upstream]) -> Change:
        standing = self._standing
        if settings.log_level != self._settings.log_level:
            logging.getLogger().setLevel(settings.log_level.upper())
        self._settings = settings
        self._fronts.swap(front)
        self._drain.take_over(self._fronts.now.pipeline, delay_s=settings.drain_delay_s, drain_s=settings.drain_s)
        standing.keys.take_over(settings.auth.client_keys)
        standing.turnstile.take_over(settings.queue)
        standing.waking.heartbeat_s = settings.sse_heartbeat_s
        standing.waking.sharing.least_awake_s = settings.sleeping.least_awake_s
        standing.scraping.includes_replicas = settings.metrics.include_replicas
        standing.prober.take_over(settings.probe, most_waiting=settings.queue.replica_waiting)
        standing.pool.connect_within(settings.timeouts.connect_s)
        return standing.pool.follow(CONFIGURED, upstreams)

    async def _reload_quietly(self, after: Callable[[], None]) -> None:
        try:
            await self.reload()
        except (Draining, FieldInvalid) as refused:
            log.error("%s", refused)  # noqa: TRY400 - the sentence says it all
        finally:
            after()

    def _make_rooms(self, _: Change) -> None:
        """Have requests wait from now on where a replica can be full that came without the settings being read."""
        if not self._fronts.now.has_rooms and can_be_full(self._settings, self._standing.pool.replicas):
            self._tasks.start(self._renew(), name="rooms")

    async def _renew(self) -> None:
        async with self._lock:
            if not self._fronts.now.has_rooms and not self._fronts.now.pipeline.is_draining:
                self._fronts.swap(await self._fronts.made(self._settings))
                delay_s, drain_s = self._settings.drain_delay_s, self._settings.drain_s
                self._drain.take_over(self._fronts.now.pipeline, delay_s=delay_s, drain_s=drain_s)
                await self._fronts.tidy()


@asynccontextmanager
async def open_reloading(
    settings: Settings, standing: Standing, fronts: Fronts, drain: Drain, read: Read | None
) -> AsyncIterator[Reloading]:
    """Open what reads the settings again."""
    reloading = Reloading(settings, standing, fronts, drain, read)
    try:
        yield reloading
    finally:
        await reloading.close()
