"""The gateway that is tried: our own, started here with short time-outs, or one that somebody else has started."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vllm_gateway import serve
from vllm_gateway.chaos.caller import Target
from vllm_gateway.chaos.fleet import LARGE_MODEL, SMALL_MODEL, Fleet
from vllm_gateway.edge.server import Server, Stop
from vllm_gateway.settings.admission import Limits
from vllm_gateway.settings.fleet import Probe
from vllm_gateway.settings.model import Session, Settings, Timeouts, Upstream
from vllm_gateway.tasks import Tasks

SILENCE_S = 1.0
"""First-token and idle time-out of our own gateway; replicas answer within a tenth of that."""

_BUDGET_TOKENS = 100_000_000
"""Never spent here; with a budget the gateway tells what is left of it."""


def own_settings(fleet: Fleet) -> Settings:
    """Return the settings of our own gateway before a fleet: the defaults, but quicker to lose patience."""
    upstreams = [Upstream(url=sim.url) for sim in fleet.replicas]
    if fleet.large is not None:
        upstreams.append(Upstream(url=fleet.large.url, route="large"))
    return Settings(
        upstreams=tuple(upstreams),
        limits=Limits(tokens_per_day=_BUDGET_TOKENS),
        context_fallbacks={SMALL_MODEL: (LARGE_MODEL,)},
        timeouts=Timeouts(connect_s=SILENCE_S, first_token_s=SILENCE_S, idle_s=SILENCE_S, total_s=30.0),
        probe=Probe(every_s=1.0, timeout_s=1.0),
        session=Session(backend="memory"),
        drain_s=1.0,
    )


@asynccontextmanager
async def own(fleet: Fleet) -> AsyncIterator[Target]:
    """Run our own gateway before a fleet, in this event loop and on a real socket."""
    settings = own_settings(fleet)
    listener = socket.create_server(("127.0.0.1", 0), backlog=serve.BACKLOG)
    tasks, stop, listens = Tasks("chaos gateway"), Stop(), asyncio.Event()
    async with serve.build(settings) as parts:
        config = serve.server_config(settings, parts.door, find_way=parts.find_way)
        server = Server(config, stop=stop, drain=parts.drain.run, greet=listens.set)
        running = tasks.start(server.serve(sockets=[listener]), name="serve")
        await listens.wait()
        try:
            yield Target("127.0.0.1", listener.getsockname()[1])
        finally:
            stop.ask()
            await running
