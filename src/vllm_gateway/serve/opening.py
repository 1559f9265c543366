"""Parts that are opened, and closed when nobody needs them any more."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vllm_gateway import sim
from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.keys.stores.choose import open_key_store
from vllm_gateway.admission.keys.throttle import Throttle
from vllm_gateway.admission.limits.choose import open_limiter
from vllm_gateway.clock import Clock
from vllm_gateway.edge.admin.building import AdminSubjects, build_admin
from vllm_gateway.edge.app import App
from vllm_gateway.edge.lane import Lane
from vllm_gateway.pipeline.metering import Metering
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.sessions.book import Book
from vllm_gateway.sessions.responses import Responses
from vllm_gateway.sessions.stores.choose import open_store
from vllm_gateway.sessions.turns import Turns
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.key_check import KeyCheck
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import Prober


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of conversations."""

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
        yield Kept(book, turns, responses)
    finally:
        await book.close()
        await turns.close()
        await store.close()


@asynccontextmanager
async def open_keys(settings: Settings, pool: Pool, clock: Clock) -> AsyncIterator[Keys]:
    """Open what knows the keys, and the place where they are kept."""
    store = open_key_store(settings.auth, settings.state)
    keys = Keys(settings.auth, store=store, check=KeyCheck(pool).check, clock=clock)
    await keys.open()
    try:
        yield keys
    finally:
        await keys.close()
        await store.close()


@asynccontextmanager
async def open_admin(
    settings: Settings, keys: Keys, ledger: Ledger, pool: Pool, clock: Clock
) -> AsyncIterator[App | None]:
    """Open what serves the admin routes, if there is a key for them."""
    if settings.auth.admin_key is None:
        yield None
        return
    store = open_key_store(settings.auth, settings.state)
    about = AdminSubjects(
        admin_key=settings.auth.admin_key.get_secret_value(),
        throttle=Throttle(clock),
        store=store,
        refresh_keys=keys.refresh,
        ledger=ledger,
        pool=pool,
        clock=clock,
    )
    try:
        yield build_admin(about)
    finally:
        await store.close()


@asynccontextmanager
async def open_metering(settings: Settings, deadlines: Deadlines, clock: Clock) -> AsyncIterator[Metering]:
    """Open what counts against limits."""
    limiter = open_limiter(settings.limits, settings.state, clock)
    metering = Metering(settings.limits, limiter, deadlines=deadlines, clock=clock)
    try:
        yield metering
    finally:
        await metering.close()
        await limiter.close()


@asynccontextmanager
async def open_upstreams(settings: Settings) -> AsyncIterator[tuple[Upstream, ...]]:
    """Give the replicas that are configured, or an embedded engine for as long as it is needed."""
    if settings.upstreams:
        yield settings.upstreams
        return
    engine = await sim.start(sim.SimSettings())
    try:
        yield (Upstream(url=engine.url),)
    finally:
        await engine.close()


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
