"""Some sims and a gateway before them, for tests that look at both."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.gateway import Gateway, gateway
from vllm_gateway import codec
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim, SimSettings, start
from vllm_gateway.sim.journal import RequestSeen


def fast(**changes: Any) -> SimSettings:  # noqa: ANN401 - any setting
    """Return the settings of a replica that answers at once."""
    return SimSettings(**{"ttft_ms": 0, "ttft_ms_per_1k": 0, "itl_ms": 0, **changes})


@asynccontextmanager
async def fleet(
    *kinds: SimSettings,
    routes: tuple[str, ...] = (),
    **settings: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[tuple[list[RunningSim], Gateway]]:
    """Run a sim of each kind, on these routes, and a gateway before them that does not look again by itself.

    It knows its replicas' fingerprints, as after their first streams.
    """
    async with AsyncExitStack() as stack:
        sims = []
        for kind in kinds or (fast(),):
            sims.append(await start(kind))
            stack.push_async_callback(sims[-1].close)
        names = routes or ("default",) * len(sims)
        upstreams = [Upstream(url=sim.url, route=route) for sim, route in zip(sims, names, strict=True)]
        door = await stack.enter_async_context(gateway(*upstreams, **{"probe": {"every_s": 600}, **settings}))
        for sim, replica in zip(sims, door.parts.pool.replicas, strict=True):
            replica.fingerprints = dict.fromkeys(sim.engine.settings.models, sim.engine.settings.fingerprint)
        yield sims, door


def last_seen(sim: RunningSim, path: str = "/v1/chat/completions") -> RequestSeen:
    """Return the last request that reached a replica at `path`; the gateway's own looks come at any moment."""
    return [seen for seen in sim.log.requests if seen.target == path][-1]


def asked(sim: RunningSim, path: str = "/v1/chat/completions") -> list[dict[str, Any]]:
    """Return the bodies that reached a replica at `path`."""
    return [codec.loads(seen.body) for seen in sim.log.requests if seen.target == path]
