"""An hour of a gateway in a few seconds: requests of every kind, in an order that looks like chance."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from tests.waiting import PATIENCE_S
from tests.wire.programs import Program, program
from tests.wire.sims import fast
from vllm_gateway import codec
from vllm_gateway.sim import RunningSim, start

CHAT = "/v1/chat/completions"
KEY, WRONG = "client-canary-0123456789", "wrong-canary-0123456789"
PROMPT = "prompt-canary-0123456789"
_CHANCE = 20
_AT_ONCE = 10
_ROUTES = {"cut": ("eof@2",), "broken": ("status=500",), "mute": ("stall",), "full": ("status=503:5",)}
"""Routes with one replica each, whose model has the name of the route, and what goes wrong there every time."""


@asynccontextmanager
async def busy(folder: Path, collector: str) -> AsyncIterator[tuple[Program, "Hour"]]:
    """Run a gateway before two replicas and those with faults; all that can be noted of a request is noted."""
    async with AsyncExitStack() as stack:
        pair = [await start(fast(models=("sim-small", "sim-tight"), itl_ms=2)) for _ in range(2)]
        odd = [await start(fast(models=(name,), embedding_models=(), faults=fault)) for name, fault in _ROUTES.items()]
        for sim in (*pair, *odd):
            stack.push_async_callback(sim.close)
        upstreams = [{"url": sim.url} for sim in pair]
        upstreams += [{"url": sim.url, "route": name} for sim, name in zip(odd, _ROUTES, strict=True)]
        settings = {
            "GATEWAY_UPSTREAMS": codec.dumps(upstreams).decode(),
            "GATEWAY_AUTH__MODE": "keys",
            "GATEWAY_AUTH__CLIENT_KEYS": f'["{KEY}"]',
            "GATEWAY_CACHE__BACKEND": "memory",
            "GATEWAY_LIMITS__MODELS": '{"sim-tight":{"tokens_per_day":1}}',
            "GATEWAY_LOG_LEVEL": "debug",
            "GATEWAY_LOG__FORMAT": "json",
            "GATEWAY_METRICS__PUBLIC": "true",
            "GATEWAY_PROBE__TIMEOUT_S": "30",
            "GATEWAY_ROUTES": '{"mute":{"first_token_s":0.5}}',
            "GATEWAY_TRACING__ENABLED": "true",
            "GATEWAY_USAGE__BACKEND": "sqlite",
            "GATEWAY_USAGE__PATH": str(folder / "usage.sqlite"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        door = await stack.enter_async_context(program(folder, most_files=4096, **settings))
        http = await stack.enter_async_context(httpx2.AsyncClient(base_url=door.url, timeout=PATIENCE_S))
        yield door, Hour(http, door.port, pair)


class Hour:
    """Sends requests, each with a name of its own."""

    def __init__(self, http: httpx2.AsyncClient, port: int, pair: list[RunningSim]) -> None:
        self.sent = 0
        self._http = http
        self._port = port
        self._pair = pair

    async def run(self) -> None:
        """Send some hundreds of every kind."""
        for fault in ("status=500x1", "eof@3x1"):  # one of two in a row gets to the replica that has it
            self._pair[0].faults.add([fault])
            for _ in range(2):
                await self.ask(stream=True, max_tokens=8)
        kinds: dict[Callable[[], Awaitable[object]], int] = {
            self.ask: 50,
            lambda: self.ask(stream=True): 50,
            lambda: self.ask(temperature=0): 30,
            lambda: self.ask(temperature=0, stream=True): 20,
            lambda: self.ask("/v1/embeddings", model="sim-embed", input=PROMPT): 10,
            lambda: self.ask(model="invented"): 20,
            lambda: self.ask(messages=PROMPT): 15,
            lambda: self.ask(key=WRONG): 15,
            lambda: self.ask(model="sim-tight"): 15,
            lambda: self.ask(model="broken"): 10,
            lambda: self.ask(model="full"): 10,
            lambda: self.ask(model="cut", stream=True): 12,
            lambda: self.ask(model="mute", stream=True): 4,
            self.leave_in_mid_stream: 15,
            self.leave_in_mid_request: 10,
        }
        order = [kind for kind, times in kinds.items() for _ in range(times)]
        Random(_CHANCE).shuffle(order)  # noqa: S311 - the same every time
        for first in range(0, len(order), _AT_ONCE):
            await asyncio.gather(*(kind() for kind in order[first : first + _AT_ONCE]))

    async def ask(self, path: str = CHAT, *, key: str = KEY, **fields: Any) -> int:  # noqa: ANN401 - any field
        """Ask, and take the answer to its end, whatever it is; return its status, 0 where there is none."""
        body = {"model": "sim-small", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 4, **fields}
        with contextlib.suppress(httpx2.HTTPError):  # a stream that breaks off
            return (await self._http.post(path, json=body, headers=self._headers(key))).status_code
        return 0

    async def leave_in_mid_stream(self) -> None:
        """Hang up after the first event."""
        body = {"model": "sim-small", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 2000}
        body |= {"stream": True, "ignore_eos": True}
        async with self._http.stream("POST", CHAT, json=body, headers=self._headers(KEY)) as reply:
            await anext(reply.aiter_bytes())

    async def leave_in_mid_request(self) -> None:
        """Hang up before the end of the body."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        headers = {**self._headers(KEY), "host": "gateway", "content-length": "999", "content-type": "application/json"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f'POST {CHAT} HTTP/1.1\r\n{lines}\r\n{{"model":'.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _headers(self, key: str) -> dict[str, str]:
        self.sent += 1
        return {"authorization": f"Bearer {key}", "x-request-id": f"request-{self.sent:04}"}
