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

import uvicorn

from vllm_gateway import sim
from vllm_gateway.clock import SystemClock
from vllm_gateway.dialects.openai import OpenAI
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.edge.app import Door
from vllm_gateway.edge.drain import Drain
from vllm_gateway.edge.house import build_house
from vllm_gateway.edge.lane import Lane
from vllm_gateway.edge.server import Server, Stop, bounded_protocol
from vllm_gateway.pipeline import Pipeline
from vllm_gateway.routing.policies import least_busy
from vllm_gateway.routing.table import Table
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.telemetry.ledger import Ledger
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

    door: Door
    drain: Drain
    ledger: Ledger
    pool: Pool
    pipeline: Pipeline


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Parts]:
    """Put a gateway together and open it; on leaving, close its parts in reverse."""
    clock = SystemClock()
    async with _upstreams(settings) as upstreams:
        pool = Pool(upstreams, clock=clock, connect_s=settings.timeouts.connect_s)
        prober = Prober(pool, settings.probe, clock=clock)
        deadlines = Deadlines(clock)
        relay = Relay(
            pool, choose=least_busy, retry=settings.retry, timeouts=settings.timeouts, deadlines=deadlines, clock=clock
        )
        table = Table(settings.aliases, settings.default_model, settings.default_route, settings.allowed_models)
        ledger = Ledger(clock)
        pipeline = Pipeline(table=table, pool=pool, prober=prober, relay=relay, ledger=ledger)
        lane = Lane(pipeline, max_body_bytes=settings.limits.max_body_bytes, clock=clock)
        house = build_house(
            pipeline=pipeline,
            pool=pool,
            prober=prober,
            table=table,
            dialect=OpenAI(),
            is_embedded=not settings.upstreams,
        )
        door = Door(build_operations(max_json_depth=settings.limits.max_json_depth), lane, house)
        drain = Drain(pipeline, ledger, drain_s=settings.drain_s, clock=clock)
        await prober.open()
        try:
            yield Parts(door, drain, ledger, pool, pipeline)
        finally:
            await lane.close()
            await prober.close()
            deadlines.close()
            pool.close()


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
    with listener, stop.on_signals(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings, listener, stop))


async def _serve(settings: Settings, listener: socket.socket, stop: Stop) -> int:
    async with build(settings) as parts:
        config = server_config(settings, parts.door)
        greet = partial(_greet, settings, parts.pool, listener)
        gc.collect()
        gc.freeze()  # what is there now stays: looking at all of it again and again would hold up streams
        await Server(config, stop=stop, drain=parts.drain.run, greet=greet).serve(sockets=[listener])
    return 0


def server_config(settings: Settings, door: Door) -> uvicorn.Config:
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
