"""A gateway, put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.cache.store import SharedStore
from vllm_gateway.clock import SystemClock
from vllm_gateway.edge.app import App
from vllm_gateway.edge.drain import Drain
from vllm_gateway.edge.express import FindWay
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.serve.front import Fronts, open_fronts
from vllm_gateway.serve.opening import open_admin
from vllm_gateway.serve.reloading import Read, Reloading, open_reloading
from vllm_gateway.serve.scraping import Scraping
from vllm_gateway.serve.standing import open_standing
from vllm_gateway.settings.model import Settings
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.recent import Recent
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import Replica


@dataclass(frozen=True, slots=True)
class Parts:
    """A gateway, put together."""

    fronts: Fronts
    drain: Drain
    ledger: Ledger
    pool: Pool
    keys: Keys
    reloading: Reloading
    scraping: Scraping
    recent: Recent
    """What has just ended; it is told of it only where there are admin routes."""
    turnstile: Turnstile[Replica]
    admin: App | None
    """What the admin listener serves; without a key for it there is none."""

    @property
    def door(self) -> App:
        """What the server runs; it stays when the settings change."""
        return self.fronts

    @property
    def find_way(self) -> FindWay:
        """What finds the requests that need not pass the door."""
        return self.fronts.find_way

    @property
    def pipeline(self) -> Pipeline:
        """What new requests run through."""
        return self.fronts.now.pipeline


@asynccontextmanager
async def build(
    settings: Settings, *, read: Read | None = None, engine_url: str | None = None, once: SharedStore | None = None
) -> AsyncIterator[Parts]:
    """Put a gateway together and open it; on leaving, close its parts in reverse.

    `read` reads the settings again; without it a reload finds nothing new. Where an embedded engine runs already,
    `engine_url` says where. `once` is where several workers keep the answers to requests with an idempotency key.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        standing = await enter(open_standing(settings, clock, engine_url, once))
        fronts = await enter(open_fronts(settings, standing))
        pool, ledger, keys = standing.pool, standing.ledger, standing.keys
        drain = Drain(
            fronts.now.pipeline, ledger, delay_s=settings.drain_delay_s, drain_s=settings.drain_s, clock=clock
        )
        reloading = await enter(open_reloading(settings, standing, fronts, drain, read))
        recent, turnstile, scraping = Recent(), standing.turnstile, standing.scraping
        admin = await enter(
            open_admin(
                settings,
                keys,
                ledger,
                pool,
                recent=recent,
                turnstile=turnstile,
                control=reloading,
                scrape=scraping.page,
                door=fronts,
                clock=clock,
            )
        )
        yield Parts(fronts, drain, ledger, pool, keys, reloading, scraping, recent, turnstile, admin)
