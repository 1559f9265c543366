"""Every query of every dashboard, asked of a real Prometheus that watched a gateway; needs Debian's `prometheus`."""

import asyncio
import contextlib
import itertools
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.gateway import Gateway, gateway
from tests.telemetry.dashboards.asked import expressions, filled
from tests.wire.sims import fast
from tests.wire.test_prometheus import prometheus
from vllm_gateway import codec
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim, start
from vllm_gateway.telemetry.dashboards.grafana import BOARDS

pytestmark = pytest.mark.servers
CHAT = "/v1/chat/completions"
KEY = "sk-somebody-of-the-tests"
STREAM = {"stream": True, "temperature": 0, "ignore_eos": True}
SETTINGS: dict[str, Any] = {
    "auth": {"mode": "keys", "client_keys": [KEY]},
    "metrics": {"public": True},
    "limits": {"tokens_per_day": 100_000_000, "models": {"sim-embed": {"requests_per_minute": 1}}},
    "cache": {"backend": "memory"},
    "hedge": {"enabled": True, "percentile": 50, "least_wait_s": 0.05, "budget_percent": 50},
    "queue": {"wait_s": 30},
    "probe": {"every_s": 1, "most_eject_s": 2},
}
PATIENCE_S = 180


_NUMBERS = itertools.count()


def saying(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return a body that no other is like, so that no answer is given again, but begins like all others."""
    words = f"{'Hello ' * 40}{next(_NUMBERS)}"
    return {"model": "sim-small", "messages": [{"role": "user", "content": words}], "max_tokens": 16, **fields}


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[list[RunningSim], Gateway, httpx2.AsyncClient]]:
    """Run replicas with room for one request each, a gateway before them, and a Prometheus that scrapes it."""
    async with AsyncExitStack() as stack:
        sims = []
        for _ in range(2):
            sims.append(await start(fast(itl_ms=2)))
            stack.push_async_callback(sims[-1].close)
        upstreams = [Upstream(url=sim.url, max_concurrent=1) for sim in sims]
        door = await stack.enter_async_context(gateway(*upstreams, **SETTINGS))
        door.http.headers["authorization"] = f"Bearer {KEY}"
        yield sims, door, await stack.enter_async_context(prometheus(folder, door))


async def everything(sims: list[RunningSim], door: Gateway) -> None:
    """Let happen whatever can happen to requests; how each ends does not matter here."""
    again = saying(temperature=0)
    asked = [
        *(saying(**STREAM) for _ in range(24)),
        *(again for _ in range(3)),
        saying(model="nobody-has-this"),
    ]
    await _all([door.http.post(CHAT, json=body) for body in asked])
    words = [{"model": "sim-embed", "input": str(next(_NUMBERS))} for _ in range(3)]
    await _all([door.http.post("/v1/embeddings", json=body) for body in words])
    for fault in ("slow=0.5x1", "reset@5x1", "status=500x3"):
        sims[0].faults.add([fault])
        await _all([door.http.post(CHAT, json=saying(**STREAM)) for _ in range(6)])
    with contextlib.suppress(httpx2.HTTPError):
        async with door.http.stream("POST", CHAT, json=saying(**STREAM | {"max_tokens": 2000})) as reply:
            await anext(reply.aiter_raw())


async def _all(requests: list[Any]) -> None:
    await asyncio.gather(*requests, return_exceptions=True)


async def has_data(http: httpx2.AsyncClient, expression: str) -> bool:
    """Say whether a query gives a number; none of the kind that is no number."""
    reply = await http.get("/api/v1/query", params={"query": filled(expression)})
    assert reply.status_code == 200, f"{expression}: {reply.text}"
    found = codec.loads(reply.content)["data"]["result"]
    return any(math.isfinite(float(each["value"][1])) for each in found)


async def test_every_query_of_every_dashboard_has_data(tmp_path: Path) -> None:
    """After traffic that has met limits, the queue, the cache and every kind of fault, over and over."""
    silent = set(expressions(BOARDS))
    async with watched(tmp_path) as (sims, door, http):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while silent:
                    await everything(sims, door)
                    silent = {each for each in silent if not await has_data(http, each)}
        assert silent == set()
