"""Parts that are made of the settings and need no end."""

import math
from collections.abc import Sequence

from vllm_gateway.admission.rules.outgoing import Outgoing
from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.clock import Clock
from vllm_gateway.pipeline.caching import Caching
from vllm_gateway.pipeline.clamp import Clamp
from vllm_gateway.pipeline.metering import Metering
from vllm_gateway.pipeline.screening import Screening
from vllm_gateway.pipeline.sending import Sending
from vllm_gateway.routing.table import Table
from vllm_gateway.serve.relaying import Relaying
from vllm_gateway.settings.model import Settings
from vllm_gateway.upstream.counting import Counting
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import Prober
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.sleeping import Waking


def make_sending(
    settings: Settings,
    *,
    table: Table,
    pool: Pool,
    prober: Prober,
    relaying: Relaying,
    counting: Counting,
    metering: Metering,
    caching: Caching,
    screening: Screening | None,
) -> Sending:
    """Return what has requests answered."""
    return Sending(
        table=table,
        pool=pool,
        prober=prober,
        relay=relaying.relay,
        policy_of=relaying.policies.of,
        affinity=relaying.affinity,
        falling_back=relaying.falling_back,
        resume=settings.resume,
        metering=metering,
        caching=caching,
        bills_hits=settings.cache.bill_hits,
        is_written_down=settings.usage.backend != "none",
        outgoing=Outgoing(settings, invented_secret=relaying.secret),
        clamp=Clamp(counting) if settings.rules.clamp_to_context else None,
        screening=screening,
    )


def make_table(settings: Settings) -> Table:
    """Return what knows which model a name means."""
    return Table(
        settings.aliases,
        settings.default_model,
        settings.default_route,
        settings.allowed_models,
        rejects_ambiguous=settings.ambiguous_model == "reject",
    )


def is_embedded(settings: Settings) -> bool:
    """Say whether the embedded engine is to answer, because nobody else is named."""
    return not settings.upstreams and settings.discovery.file is None


def can_be_full(settings: Settings, replicas: Sequence[Replica]) -> bool:
    """Say whether requests may have to wait for a replica; where none is ever full, nothing stands in their way."""
    return settings.queue.replica_waiting > 0 or any(math.isfinite(each.max_outstanding) for each in replicas)


def make_prober(settings: Settings, pool: Pool, turnstile: Turnstile[Replica], waking: Waking, clock: Clock) -> Prober:
    """Return what looks at the replicas, tells those who wait for one, and wakes those that are waited for."""

    def looked_at(replica: Replica) -> None:
        turnstile.look(replica)
        waking.notice(replica)

    waiting = settings.queue.replica_waiting
    return Prober(pool, settings.probe, clock=clock, most_waiting=waiting, looked_at=looked_at)
