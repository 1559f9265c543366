"""Parts that are made of the settings and need no end."""

from collections.abc import Sequence
from pathlib import Path

from vllm_gateway.admission.rules.outgoing import Outgoing
from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.clock import Clock
from vllm_gateway.pipeline.clamp import Clamp
from vllm_gateway.pipeline.metering import Metering
from vllm_gateway.pipeline.screening import Screening
from vllm_gateway.pipeline.sending import Sending
from vllm_gateway.pipeline.waiting import Waiting
from vllm_gateway.routing.policies import least_busy_or_warm
from vllm_gateway.routing.table import Table
from vllm_gateway.sessions.tokenizer import LocalTokenizer
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.upstream.counting import Counting
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.pool import Pool, Replica
from vllm_gateway.upstream.probe import Prober
from vllm_gateway.upstream.relay import Relay


def make_sending(
    settings: Settings,
    *,
    table: Table,
    pool: Pool,
    prober: Prober,
    relay: Relay,
    counting: Counting,
    metering: Metering,
    screening: Screening | None,
) -> Sending:
    """Return what has requests answered."""
    return Sending(
        table=table,
        pool=pool,
        prober=prober,
        relay=relay,
        metering=metering,
        outgoing=Outgoing(settings),
        clamp=Clamp(counting) if settings.rules.clamp_to_context else None,
        screening=screening,
    )


def make_relay(
    settings: Settings, pool: Pool, turnstile: Turnstile[Replica] | None, deadlines: Deadlines, clock: Clock
) -> Relay:
    """Return what asks replicas."""
    rooms = None
    if turnstile is not None:
        rooms = Waiting(turnstile, heartbeat_s=settings.sse_heartbeat_s, deadlines=deadlines, clock=clock)
    return Relay(
        pool,
        rooms=rooms,
        choose=least_busy_or_warm,
        retry=settings.retry,
        timeouts=settings.timeouts,
        deadlines=deadlines,
        clock=clock,
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


def read_tokenizers(pool: Pool) -> dict[str, LocalTokenizer]:
    """Return the tokenizer of every replica that has a folder of its own, each folder read once."""
    folders = {replica.name: replica.tokenizer_path for replica in pool.replicas}
    read = {folder: LocalTokenizer(Path(folder)) for folder in folders.values() if folder}
    return {name: read[folder] for name, folder in folders.items() if folder}


def make_turnstile(settings: Settings, upstreams: Sequence[Upstream], clock: Clock) -> Turnstile[Replica] | None:
    """Return where requests wait for replicas that are full; None where no replica ever is."""
    if not settings.queue.replica_waiting and not any(upstream.max_concurrent for upstream in upstreams):
        return None
    return Turnstile(settings.queue, clock=clock)


def make_prober(settings: Settings, pool: Pool, turnstile: Turnstile[Replica] | None, clock: Clock) -> Prober:
    """Return what looks at the replicas, and tells those who wait for one."""
    looked_at = turnstile.look if turnstile is not None else None
    return Prober(pool, settings.probe, clock=clock, most_waiting=settings.queue.replica_waiting, looked_at=looked_at)
