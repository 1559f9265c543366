"""The composition root: settings in, a running gateway out. The only place that decides which part gets which."""

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn

from vllm_gateway import sim
from vllm_gateway.admission.keys import Keys
from vllm_gateway.clock import Clock, SystemClock
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.edge.app import App, Door
from vllm_gateway.edge.cors import with_cors
from vllm_gateway.edge.drain import Drain
from vllm_gateway.edge.house.building import Subjects, build_house
from vllm_gateway.edge.lane import Lane
from vllm_gateway.edge.server import Server, Stop, bounded_protocol
from vllm_gateway.pipeline.response import ResponseTeller
from vllm_gateway.pipeline.sending import Sending
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.pipeline.turn import TurnTeller
from vllm_gateway.routing.policies import least_busy_or_warm
from vllm_gateway.routing.table import Table
from vllm_gateway.sessions.book import Book
from vllm_gateway.sessions.responses import Responses
from vllm_gateway.sessions.stores.choose import MissingExtra, open_store
from vllm_gateway.sessions.tokenizer import LocalTokenizer, TokenizerUnusable
from vllm_gateway.sessions.turns import Turns
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.upstream.counting import Counting
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import Prober
from vllm_gateway.upstream.relay import Relay

log = logging.getLogger(__name__)

BACKLOG = 4096
"""Connections that may wait to be accepted: a thousand callers at once are no attack."""
_LAST_WORDS_S = 2
"""How long connections may stay open after the drain."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A gateway, put together."""

    door: App
    drain: Drain
    ledger: Ledger
    pool: Pool
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of conversations."""

    book: Book
    turns: Turns
    responses: Responses


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Parts]:
    """Put a gateway together and open it; on leaving, close its parts in reverse."""
    clock = SystemClock()
    async with _upstreams(settings) as upstreams, _kept(settings, clock) as kept:
        pool = Pool(upstreams, clock=clock, connect_s=settings.timeouts.connect_s)
        prober = Prober(pool, settings.probe, clock=clock)
        deadlines = Deadlines(clock)
        table = _table(settings)
        keys = Keys(settings.auth)
        ledger = Ledger(clock)
        relay = _relay(settings, pool, deadlines, clock)
        sending = Sending(table=table, pool=pool, prober=prober, relay=relay)
        counting = Counting()
        tokenizers = _tokenizers(pool)
        pipeline = Pipeline(
            keys=keys,
            sending=sending,
            turns=TurnTeller(
                sending, kept.turns, counting, tokenizers=tokenizers, settings=settings.session, clock=clock
            ),
            responses=ResponseTeller(sending, kept.responses),
            ledger=ledger,
        )
        lane = Lane(
            pipeline,
            max_body_bytes=settings.limits.max_body_bytes,
            heartbeat_s=settings.sse_heartbeat_s,
            deadlines=deadlines,
            clock=clock,
        )
        about = Subjects(
            pipeline=pipeline,
            pool=pool,
            prober=prober,
            table=table,
            ledger=ledger,
            keys=keys,
            book=kept.book,
            responses=kept.responses,
            upstream_keys=[each.api_key.get_secret_value() for each in settings.upstreams if each.api_key],
            is_embedded=not settings.upstreams,
        )
        operations = build_operations(max_json_depth=settings.limits.max_json_depth)
        door = Door(operations, lane, build_house(about), max_body_bytes=settings.limits.max_body_bytes)
        drain = Drain(pipeline, ledger, drain_s=settings.drain_s, clock=clock)
        await prober.open()
        try:
            yield Parts(with_cors(door, settings.cors_origins), drain, ledger, pool, pipeline)
        finally:
            await lane.close()
            await prober.close()
            deadlines.close()
            pool.close()


def _relay(settings: Settings, pool: Pool, deadlines: Deadlines, clock: Clock) -> Relay:
    return Relay(
        pool,
        choose=least_busy_or_warm,
        retry=settings.retry,
        timeouts=settings.timeouts,
        deadlines=deadlines,
        clock=clock,
    )


def _table(settings: Settings) -> Table:
    return Table(
        settings.aliases,
        settings.default_model,
        settings.default_route,
        settings.allowed_models,
        rejects_ambiguous=settings.ambiguous_model == "reject",
    )


def _tokenizers(pool: Pool) -> dict[str, LocalTokenizer]:
    """Return the tokenizer of every replica that has a folder of its own, each folder read once."""
    folders = {replica.name: replica.tokenizer_path for replica in pool.replicas}
    read = {folder: LocalTokenizer(Path(folder)) for folder in folders.values() if folder}
    return {name: read[folder] for name, folder in folders.items() if folder}


@asynccontextmanager
async def _kept(settings: Settings, clock: Clock) -> AsyncIterator[_Kept]:
    """Open what keeps conversations; close it when nobody asks any more."""
    store = open_store(settings.session, settings.state)
    book = Book(store, ttl_s=settings.session.ttl_s, clock=clock)
    turns = Turns(store, wait_s=settings.session.turn_wait_s, clock=clock)
    responses = Responses(store, ttl_s=settings.session.response_ttl_s, clock=clock)
    book.open()
    try:
        yield _Kept(book, turns, responses)
    finally:
        await book.close()
        await turns.close()
        await store.close()


@asynccontextmanager
async def _upstreams(settings: Settings) -> AsyncIterator[tuple[Upstream, ...]]:
    """Give the replicas that are configured, or an embedded engine for as long as it is needed."""
    if settings.upstreams:
        yield settings.upstreams
        return
    engine = await sim.start(sim.SimSettings())
    try:
        yield (Upstream(url=engine.url),)
    finally:
        await engine.close()


def run(settings: Settings) -> int:
    """Serve until told to stop; return the exit status: 0 after an orderly end, 1 when it could not start."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    try:
        listener = _listen(settings.host, settings.port)
    except OSError as error:
        reason = error.strerror or str(error)
        log.error("Cannot listen on %s:%d: %s. Choose another with --port.", settings.host, settings.port, reason)  # noqa: TRY400 - the sentence says it all
        return 1
    stop = Stop()
    try:
        with listener, stop.on_signals(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(settings, listener, stop))
    except (MissingExtra, TokenizerUnusable) as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says it all
        return 1


async def _serve(settings: Settings, listener: socket.socket, stop: Stop) -> int:
    async with build(settings) as parts:
        config = server_config(settings, parts.door)
        greet = partial(_greet, settings, parts.pool, listener)
        gc.collect()
        gc.freeze()  # what is there now stays: looking at all of it again and again would hold up streams
        await Server(config, stop=stop, drain=parts.drain.run, greet=greet).serve(sockets=[listener])
    return 0


def server_config(settings: Settings, door: App) -> uvicorn.Config:
    """Return how uvicorn is to run: it keeps the connections, and leaves the rest to us."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return uvicorn.Config(
        door,
        http=bounded_protocol(max_head_bytes=settings.limits.max_header_bytes),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_LAST_WORDS_S,
    )


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything else is started, so that a port in use is told at once and in one sentence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - there is none on Windows

    return uvloop.Loop


def _greet(settings: Settings, pool: Pool, listener: socket.socket) -> None:
    """Say where the gateway is, what is behind it, and one line that works."""
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    usable = [replica for replica in pool.replicas if replica.is_usable]
    models = list(dict.fromkeys(model for replica in usable for model in replica.models))
    if not settings.upstreams:
        behind = "No upstream is configured: the embedded engine answers. It invents its words; it is no model."
    else:
        behind = f"{len(usable)} of {len(pool.replicas)} replicas usable; models: {', '.join(models) or 'none yet'}."
    body = f'{{"model": "{models[0] if models else "MODEL"}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    sys.stdout.write(
        f"vllm-gateway on {url}\n{behind}\nTry it:\n\n"
        f"  curl {url}/v1/chat/completions -H 'Content-Type: application/json' -d '{body}'\n\n"
    )
    sys.stdout.flush()
