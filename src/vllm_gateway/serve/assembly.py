"""A gateway, put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.rules.checking import Rules
from vllm_gateway.admission.rules.shape import check_size
from vllm_gateway.clock import SystemClock
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.edge.app import App, Door
from vllm_gateway.edge.cors import with_cors
from vllm_gateway.edge.drain import Drain
from vllm_gateway.edge.house.building import Subjects, build_house
from vllm_gateway.pipeline.response import ResponseTeller
from vllm_gateway.pipeline.screening import screening_for
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.pipeline.turn import TurnTeller
from vllm_gateway.serve.making import make_prober, make_relay, make_sending, make_table, make_turnstile, read_tokenizers
from vllm_gateway.serve.opening import (
    open_admin,
    open_deadlines,
    open_kept,
    open_keys,
    open_lane,
    open_metering,
    open_pool,
    open_prober,
    open_upstreams,
)
from vllm_gateway.settings.model import Settings
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.upstream.counting import Counting
from vllm_gateway.upstream.pool import Pool


@dataclass(frozen=True, slots=True)
class Parts:
    """A gateway, put together."""

    door: App
    drain: Drain
    ledger: Ledger
    pool: Pool
    keys: Keys
    pipeline: Pipeline
    admin: App | None
    """What the admin listener serves; without a key for it there is none."""


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Parts]:
    """Put a gateway together and open it; on leaving, close its parts in reverse."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        upstreams = await enter(open_upstreams(settings))
        kept = await enter(open_kept(settings, clock))
        pool = await enter(open_pool(settings, upstreams, clock))
        deadlines = await enter(open_deadlines(clock))
        keys = await enter(open_keys(settings, pool, clock))
        metering = await enter(open_metering(settings, deadlines, clock))
        ledger, table, counting = Ledger(clock), make_table(settings), Counting()
        screening = screening_for(settings.rules)
        turnstile = make_turnstile(settings, upstreams, clock)
        prober = make_prober(settings, pool, turnstile, clock)
        sending = make_sending(
            settings,
            table=table,
            pool=pool,
            prober=prober,
            relay=make_relay(settings, pool, turnstile, deadlines, clock),
            counting=counting,
            metering=metering,
            screening=screening,
        )
        tokenizers = read_tokenizers(pool)
        turns = TurnTeller(sending, kept.turns, counting, tokenizers=tokenizers, settings=settings.session, clock=clock)
        pipeline = Pipeline(
            keys=keys,
            rules=Rules(settings),
            screening=screening,
            sending=sending,
            turns=turns,
            responses=ResponseTeller(sending, kept.responses),
            ledger=ledger,
        )
        about = Subjects(
            pipeline=pipeline,
            pool=pool,
            prober=prober,
            table=table,
            ledger=ledger,
            keys=keys,
            book=kept.book,
            screening=screening,
            responses=kept.responses,
            upstream_keys=[each.api_key.get_secret_value() for each in settings.upstreams if each.api_key],
            is_embedded=not settings.upstreams,
        )
        admin = await enter(open_admin(settings, keys, ledger, pool, clock))
        await enter(open_prober(prober))
        lane = await enter(open_lane(settings, pipeline, deadlines, clock))
        operations = build_operations(max_json_depth=settings.limits.max_json_depth, check_size=check_size)
        door = Door(operations, lane, build_house(about), max_body_bytes=settings.limits.max_body_bytes)
        drain = Drain(pipeline, ledger, drain_s=settings.drain_s, clock=clock)
        yield Parts(with_cors(door, settings.cors_origins), drain, ledger, pool, keys, pipeline, admin)
