"""Parts that are opened, and closed when nobody needs them any more."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.keys.stores.choose import open_key_store
from vllm_gateway.admission.keys.throttle import Throttle
from vllm_gateway.admission.limits.choose import open_limiter
from vllm_gateway.admission.limits.limiter import Limiter
from vllm_gateway.admission.rules.outgoing import Outgoing
from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.cache.choose import Shelves, open_shelves
from vllm_gateway.cache.store import SharedStore
from vllm_gateway.clock import Clock
from vllm_gateway.edge.admin.building import AdminSubjects, build_admin
from vllm_gateway.edge.admin.control import Control
from vllm_gateway.edge.app import App
from vllm_gateway.edge.house.metrics import Scrape
from vllm_gateway.edge.lane import Lane
from vllm_gateway.pipeline.caching import Caching
from vllm_gateway.pipeline.metering import Metering
from vllm_gateway.pipeline.screening import Screening
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.serve.apart import CountableKeys, UnlimitedKeys, counts_apart
from vllm_gateway.serve.making import is_embedded
from vllm_gateway.sessions.book import Book
from vllm_gateway.sessions.responses import Responses
from vllm_gateway.sessions.store import Store
from vllm_gateway.sessions.stores.choose import open_store
from vllm_gateway.sessions.turns import Turns
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.logs.form import renderer
from vllm_gateway.telemetry.logs.writing import RequestLog
from vllm_gateway.telemetry.recent import Recent
from vllm_gateway.telemetry.tracing.choose import open_outlet
from vllm_gateway.telemetry.tracing.recording import Recording
from vllm_gateway.telemetry.usage.choose import READ_S, WRITE_S, open_usage_store
from vllm_gateway.telemetry.usage.writer import Writer
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.discovery import Discovery
from vllm_gateway.upstream.key_check import KeyCheck
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import Prober
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.sharing import Sharing
from vllm_gateway.upstream.sleeping import Waking, look

if TYPE_CHECKING:
    from vllm_gateway.sim import RunningSim


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of conversations."""

    store: Store
    book: Book
    turns: Turns
    responses: Responses


@asynccontextmanager
async def open_kept(settings: Settings, clock: Clock) -> AsyncIterator[Kept]:
    """Open what keeps conversations; close it when nobody asks any more."""
    store = open_store(settings.session, settings.state)
    book = Book(store, ttl_s=settings.session.ttl_s, clock=clock)
    turns = Turns(store, wait_s=settings.session.turn_wait_s, clock=clock)
    responses = Responses(store, ttl_s=settings.session.response_ttl_s, clock=clock)
    book.open()
    try:
        yield Kept(store, book, turns, responses)
    finally:
        await book.close()
        await turns.close()
        await store.close()


@asynccontextmanager
async def open_keys(settings: Settings, pool: Pool, clock: Clock) -> AsyncIterator[Keys]:
    """Open what knows the keys, and the place where they are kept."""
    store = open_key_store(settings.auth, settings.state)
    if counts_apart(settings):
        store = CountableKeys(store)
    keys = Keys(settings.auth, store=store, check=KeyCheck(pool).check, clock=clock)
    await keys.open()
    try:
        yield keys
    finally:
        await keys.close()
        await store.close()


@asynccontextmanager
async def open_admin(
    settings: Settings,
    keys: Keys,
    ledger: Ledger,
    pool: Pool,
    *,
    recent: Recent,
    turnstile: Turnstile[Replica],
    control: Control,
    scrape: Scrape,
    door: App,
    clock: Clock,
) -> AsyncIterator[App | None]:
    """Open what serves the admin routes, if there is a key for them."""
    if settings.auth.admin_key is None:
        yield None
        return
    store = open_key_store(settings.auth, settings.state)
    if counts_apart(settings):
        store = UnlimitedKeys(store)
    usage = open_usage_store(settings.usage, settings.state, limit_s=READ_S)
    ledger.told.append(recent.tell)
    about = AdminSubjects(
        admin_key=settings.auth.admin_key.get_secret_value(),
        throttle=Throttle(clock),
        store=store,
        refresh_keys=keys.refresh,
        ledger=ledger,
        pool=pool,
        control=control,
        scrape=scrape,
        door=door,
        clock=clock,
        usage=usage,
        recent=recent,
        waiting=lambda: turnstile.waiting,
    )
    try:
        yield build_admin(about)
    finally:
        await store.close()
        if usage is not None:
            await usage.close()


@asynccontextmanager
async def open_usage(settings: Settings, ledger: Ledger, clock: Clock) -> AsyncIterator[None]:
    """Have every exchange that `ledger` closes written down, if that is asked for."""
    store = open_usage_store(settings.usage, settings.state, limit_s=WRITE_S)
    if store is None:
        yield
        return
    writer = Writer(store, keep_days=settings.usage.keep_days, clock=clock)
    writer.open()
    ledger.told.append(writer.take)
    try:
        yield
    finally:
        ledger.told.remove(writer.take)
        await writer.close()
        await store.close()


@asynccontextmanager
async def open_request_log(settings: Settings, ledger: Ledger, keys: Keys) -> AsyncIterator[None]:
    """Have a line logged for every exchange that `ledger` closes, if that is wanted."""
    if not settings.log.requests or not logging.getLogger().isEnabledFor(logging.INFO):
        yield
        return
    lines = RequestLog(
        renderer(settings.log.format, sys.stderr),
        sys.stderr,
        caller=partial(_name_of, keys),
        text_bytes=settings.log.body_bytes,
    )
    lines.open()
    ledger.seen.append(lines.see)
    try:
        yield
    finally:
        ledger.seen.remove(lines.see)
        lines.close()


@asynccontextmanager
async def open_tracing(settings: Settings, ledger: Ledger, keys: Keys, clock: Clock) -> AsyncIterator[None]:
    """Have spans made of every exchange that `ledger` closes, if that is wanted."""
    outlet = open_outlet(settings.tracing)
    if outlet is None:
        yield
        return
    recording = Recording(outlet, settings.tracing, clock=clock, caller=partial(_name_of, keys))
    recording.open()
    ledger.begun.append(recording.begin)
    ledger.seen.append(recording.see)
    try:
        yield
    finally:
        ledger.begun.remove(recording.begin)
        ledger.seen.remove(recording.see)
        await asyncio.to_thread(recording.close)


def _name_of(keys: Keys, caller_id: str) -> str:
    """Return what a caller is called in logs and traces: by the name of its key, or the beginning of its id."""
    return keys.names.get(caller_id, caller_id[:8])


@asynccontextmanager
async def open_counts(settings: Settings, clock: Clock) -> AsyncIterator[Limiter]:
    """Open the place where it is counted what callers have used."""
    limiter = open_limiter(settings.limits, settings.state, clock, gateways=settings.workers)
    await limiter.open()
    try:
        yield limiter
    finally:
        await limiter.close()


@asynccontextmanager
async def open_cache(settings: Settings, clock: Clock, once: SharedStore | None = None) -> AsyncIterator[Shelves]:
    """Open the places where answers are kept; `once` is the one for requests with a name that several workers share."""
    shelves = open_shelves(settings.cache, settings.state, clock, once=once, processes=settings.workers)
    try:
        yield shelves
    finally:
        await shelves.close()


@asynccontextmanager
async def open_caching(
    settings: Settings, shelves: Shelves, outgoing: Outgoing, screening: Screening | None, clock: Clock
) -> AsyncIterator[Caching]:
    """Open what answers from there."""
    caching = Caching(
        answers=shelves.answers,
        once=shelves.once,
        outgoing=outgoing,
        clock=clock,
        max_bytes=settings.cache.max_bytes,
        any_temperature=settings.cache.any_temperature,
        screen=screening.name if screening is not None else "",
    )
    try:
        yield caching
    finally:
        await caching.close()


@asynccontextmanager
async def open_metering(
    settings: Settings, limiter: Limiter, deadlines: Deadlines, clock: Clock
) -> AsyncIterator[Metering]:
    """Open what holds callers to their limits."""
    metering = Metering(settings.limits, limiter, deadlines=deadlines, clock=clock)
    try:
        yield metering
    finally:
        await metering.close()


class Engine:
    """The embedded engine; it is started when it is needed first."""

    def __init__(self, url: str | None = None) -> None:
        """Start none if `url` says where one runs."""
        self._url = url
        self._running: RunningSim | None = None

    async def upstreams(self, settings: Settings) -> tuple[Upstream, ...]:
        """Return the replicas that are configured; where there is none, the engine."""
        if not is_embedded(settings):
            return settings.upstreams
        if self._url is None:
            from vllm_gateway import sim  # noqa: PLC0415 - a gateway before real replicas does without

            self._running = await sim.start(sim.SimSettings())
            self._url = self._running.url
        return (Upstream(url=self._url),)

    async def close(self) -> None:
        """Stop it, if it was ever started."""
        if self._running is not None:
            await self._running.close()


@asynccontextmanager
async def open_engine(url: str | None = None) -> AsyncIterator[Engine]:
    """Open the embedded engine, for those who have no replica; the one at `url` if it runs already."""
    engine = Engine(url)
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def open_discovery(settings: Settings, pool: Pool, prober: Prober, clock: Clock) -> AsyncIterator[Discovery]:
    """Open what finds the replicas behind names and in a file."""
    discovery = Discovery(
        pool, settings.upstreams, settings.discovery, prober.look, clock=clock, workers=settings.workers
    )
    await discovery.open()
    try:
        yield discovery
    finally:
        await discovery.close()


@asynccontextmanager
async def open_pool(settings: Settings, upstreams: Sequence[Upstream], clock: Clock) -> AsyncIterator[Pool]:
    """Open the pool of replicas; at the end its free connections are closed."""
    pool = Pool(upstreams, clock=clock, connect_s=settings.timeouts.connect_s)
    try:
        yield pool
    finally:
        pool.close()


@asynccontextmanager
async def open_deadlines(clock: Clock) -> AsyncIterator[Deadlines]:
    """Open the coarse timer."""
    deadlines = Deadlines(clock)
    try:
        yield deadlines
    finally:
        deadlines.close()


@asynccontextmanager
async def open_prober(prober: Prober) -> AsyncIterator[None]:
    """Look at the replicas once, and from then on in the background."""
    await prober.open()
    try:
        yield
    finally:
        await prober.close()


@asynccontextmanager
async def open_waking(settings: Settings, pool: Pool, deadlines: Deadlines, clock: Clock) -> AsyncIterator[Waking]:
    """Open what wakes replicas that sleep."""
    sharing = Sharing(lambda: pool.replicas, look=look, least_awake_s=settings.sleeping.least_awake_s, clock=clock)
    waking = Waking(sharing=sharing, heartbeat_s=settings.sse_heartbeat_s, deadlines=deadlines, clock=clock)
    try:
        yield waking
    finally:
        await waking.close()


@asynccontextmanager
async def open_lane(settings: Settings, pipeline: Pipeline, deadlines: Deadlines, clock: Clock) -> AsyncIterator[Lane]:
    """Open the lane that takes exchanges from the server."""
    lane = Lane(
        pipeline,
        max_body_bytes=settings.limits.max_body_bytes,
        heartbeat_s=settings.sse_heartbeat_s,
        deadlines=deadlines,
        clock=clock,
    )
    try:
        yield lane
    finally:
        await lane.close()
