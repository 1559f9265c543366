"""What asks replicas, put together as one version of the settings wants it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.clock import Clock
from vllm_gateway.pipeline.falling_back import FallingBack
from vllm_gateway.pipeline.waiting import Waiting
from vllm_gateway.routing.affinity import Affinity
from vllm_gateway.serve.learned import Learned, Policies
from vllm_gateway.settings.model import Settings
from vllm_gateway.upstream.budget import RetryBudget
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.hedging import Hedging
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.relay import Relay, Ways
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.resuming import Resuming
from vllm_gateway.upstream.route_timeouts import RouteTimeouts
from vllm_gateway.upstream.sleeping import Waking
from vllm_gateway.upstream.tries import Tries


@dataclass(frozen=True, slots=True)
class Relaying:
    """What asks replicas, and what chooses among them and among models."""

    relay: Relay
    policies: Policies
    affinity: Affinity
    falling_back: FallingBack
    secret: bytes
    """From which the callers' `cache_salt` is made where the settings name none."""


@asynccontextmanager
async def open_relaying(
    settings: Settings,
    pool: Pool,
    turnstile: Turnstile[Replica] | None,
    *,
    learned: Learned,
    waking: Waking,
    deadlines: Deadlines,
    clock: Clock,
) -> AsyncIterator[Relaying]:
    """Put it together; on leaving, end what runs in its background."""
    rooms = None
    if turnstile is not None:
        rooms = Waiting(turnstile, heartbeat_s=settings.sse_heartbeat_s, deadlines=deadlines, clock=clock)
    tries = Tries(pool, rooms=rooms, deadlines=deadlines, clock=clock)
    budget = RetryBudget(percent=settings.retry.budget_percent, clock=clock)
    falling_back = FallingBack(settings.fallbacks, settings.context_fallbacks, aliases=settings.aliases)
    ways = Ways(
        retry=settings.retry,
        panic_percent=settings.probe.panic_percent,
        budget=budget,
        timeouts=RouteTimeouts(settings.timeouts, settings.routes),
        resuming=Resuming(
            settings.resume,
            tries,
            budget,
            panic_percent=settings.probe.panic_percent,
            clock=clock,
            chance=learned.chance,
        ),
        quarantine=learned.quarantine,
        waking=waking,
        hedging=Hedging(settings.hedge, clock=clock, tally=pool.tally) if settings.hedge.enabled else None,
        hands_back=lambda model, error: bool(falling_back.others(model, error)),
    )
    policies = learned.policies(settings)
    relay = Relay(tries, ways, policy_of=policies.of, clock=clock, chance=learned.chance)
    try:
        yield Relaying(relay, policies, learned.affinity, falling_back, learned.secret)
    finally:
        await relay.close()
