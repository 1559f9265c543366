"""Parts that stay for as long as the gateway runs, whatever becomes of the settings."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.limits.limiter import Limiter
from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.cache.choose import Shelves
from vllm_gateway.cache.store import SharedStore
from vllm_gateway.clock import Clock
from vllm_gateway.serve.learned import Learned
from vllm_gateway.serve.making import make_prober
from vllm_gateway.serve.opening import (
    Engine,
    Kept,
    open_cache,
    open_counts,
    open_deadlines,
    open_discovery,
    open_engine,
    open_kept,
    open_keys,
    open_pool,
    open_prober,
    open_request_log,
    open_tracing,
    open_usage,
    open_waking,
)
from vllm_gateway.serve.scraping import Measured, Scraping
from vllm_gateway.serve.tokenizers import Tokenizers
from vllm_gateway.settings.model import Settings
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.upstream.counting import Counting
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.discovery import Discovery
from vllm_gateway.upstream.pool import Change, Pool
from vllm_gateway.upstream.probe import Prober
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.sleeping import Waking


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of replicas and callers, what is kept, and what runs in the background."""

    clock: Clock
    kept: Kept
    engine: Engine
    pool: Pool
    discovery: Discovery
    prober: Prober
    waking: Waking
    turnstile: Turnstile[Replica]
    deadlines: Deadlines
    keys: Keys
    limiter: Limiter
    shelves: Shelves
    ledger: Ledger
    counting: Counting
    learned: Learned
    tokenizers: Tokenizers
    scraping: Scraping


@asynccontextmanager
async def open_standing(
    settings: Settings, clock: Clock, engine_url: str | None = None, once: SharedStore | None = None
) -> AsyncIterator[Standing]:
    """Open them, and have every replica looked at once; on leaving, close them in reverse.

    Where an embedded engine runs already, `engine_url` says where; `once` is as `open_cache` takes it.
    """
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ledger = Ledger(clock)
        await enter(open_usage(settings, ledger, clock))
        engine = await enter(open_engine(engine_url))
        kept = await enter(open_kept(settings, clock))
        pool = await enter(open_pool(settings, await engine.upstreams(settings), clock))
        tokenizers = Tokenizers(pool)
        await tokenizers.read(settings.upstreams)  # before anything is opened that would have to wait for it
        deadlines = await enter(open_deadlines(clock))
        keys = await enter(open_keys(settings, pool, clock))
        await enter(open_request_log(settings, ledger, keys))
        await enter(open_tracing(settings, ledger, keys, clock))
        limiter = await enter(open_counts(settings, clock))
        shelves = await enter(open_cache(settings, clock, once))
        turnstile: Turnstile[Replica] = Turnstile(settings.queue, clock=clock)
        pool.told.append(lambda change: _look(turnstile, change))
        learned = Learned(clock)
        pool.told.append(learned.look)
        waking = await enter(open_waking(settings, pool, deadlines, clock))
        prober = make_prober(settings, pool, turnstile, waking, clock)
        discovery = await enter(open_discovery(settings, pool, prober, clock))
        await enter(open_prober(prober))
        parts = Measured(ledger, pool, turnstile, limiter, keys, kept.store)
        scraping = Scraping(parts, includes_replicas=settings.metrics.include_replicas)
        yield Standing(
            clock=clock,
            kept=kept,
            engine=engine,
            pool=pool,
            discovery=discovery,
            prober=prober,
            waking=waking,
            turnstile=turnstile,
            deadlines=deadlines,
            keys=keys,
            limiter=limiter,
            shelves=shelves,
            ledger=ledger,
            counting=Counting(),
            learned=learned,
            tokenizers=tokenizers,
            scraping=scraping,
        )


def _look(turnstile: Turnstile[Replica], change: Change) -> None:
    """Tell those who wait for a replica what became of it."""
    for replica in (*change.removed, *change.altered):
        turnstile.look(replica)
