"""How many requests fail while gateways behind a balancer are restarted one after the other.

    python -m benchmarks.rolling_restart --requests 50000

Three gateways, each a program of its own, stand behind a plain TCP balancer that asks them for `/readyz`. Callers ask
through the `openai` library without its retries, and through a client that pools its connections in the same way: for
answers in one piece, short streams, and streams of many seconds. One gateway after the other gets SIGTERM, is waited
for, and is started again at its port, as long as the load lasts. An answer counts when it came whole.
"""

import argparse
import asyncio
import logging
import random
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import openai
import uvloop

from benchmarks.balancer import Balancer
from vllm_gateway import codec, sim
from vllm_gateway.clock import SystemClock
from vllm_gateway.tasks import Tasks

log = logging.getLogger(__name__)

GATEWAYS = 3
DELAY_S = 3.0
"""How long a gateway that was told to stop takes new requests."""
FRESH_S = 1.0
"""How long the balancer believes what a gateway said."""
EVERY_S = 0.1
_START_S = 60.0
_STOP_S = 400.0
MODEL = "sim-small"
SHORT, LONG = 12, 600
"""Tokens; a long stream takes ten seconds at least."""
_PIECE_TOKENS = 4


class Gateway:
    """One gateway, which can be started and stopped again and again at the same port."""

    def __init__(self, folder: Path, upstreams: Sequence[str], settings: dict[str, str]) -> None:
        self.port = _port()
        self.log = folder / f"gateway-{self.port}.log"
        self._environment = {"PATH": "/usr/bin:/bin", "GATEWAY_SESSION__BACKEND": "memory", **settings}
        flags = [flag for url in upstreams for flag in ("--upstream", url)]
        self._command = [sys.executable, "-m", "vllm_gateway", "serve", "--port", str(self.port), *flags]
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; it is ready when the balancer says so."""
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=output, stderr=output, cwd=self._folder, env=self._environment
            )

    async def stop(self) -> int:
        """Tell it to stop, and return its exit status."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> int:
        """Kill it."""
        return await self._end(signal.SIGKILL)

    async def close(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    async def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            raise RuntimeError("It was never started.")
        self._process.send_signal(how)
        async with asyncio.timeout(_STOP_S):
            return await self._process.wait()


@dataclass
class Count:
    """What became of the requests."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    """What went wrong, in a word or two."""

    @property
    def total(self) -> int:
        """All that were asked."""
        return self.answered.total() + self.failed.total()


Asking = Callable[[], Awaitable[None]]
"""Asks once; raises when the answer did not come whole."""


class NotWhole(Exception):
    """An answer came, but not all of it."""


def question(tokens: int, *, is_stream: bool) -> dict[str, object]:
    """Return a chat whose answer has so many tokens; no two are alike."""
    words = f"Question {random.random()}"  # noqa: S311 - only to be another one
    fields = {"model": MODEL, "messages": [{"role": "user", "content": words}], "ignore_eos": True}
    return {**fields, "stream": is_stream, "max_tokens": tokens}


async def ask_for_piece(http: httpx2.AsyncClient) -> None:
    """Ask for an answer in one piece."""
    reply = await http.post("/v1/chat/completions", json=question(_PIECE_TOKENS, is_stream=False))
    reply.raise_for_status()
    if codec.loads(reply.content)["usage"]["completion_tokens"] != _PIECE_TOKENS:
        raise NotWhole("one piece")


async def ask_for_stream(http: httpx2.AsyncClient, tokens: int) -> None:
    """Ask for a stream, and read it to its end."""
    text = b""
    async with http.stream("POST", "/v1/chat/completions", json=question(tokens, is_stream=True)) as reply:
        reply.raise_for_status()
        async for data in reply.aiter_raw():
            text += data
    if not text.endswith(b"data: [DONE]\n\n") or b'"finish_reason":"length"' not in text or b'"error"' in text:
        raise NotWhole("stream")


async def ask_with_library(client: openai.AsyncOpenAI, tokens: int) -> None:
    """Ask as programs do that use the library, for a stream."""
    finish = None
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": f"Question {random.random()}"}],  # noqa: S311 - only to be another one
        stream=True,
        max_tokens=tokens,
        extra_body={"ignore_eos": True},
    )
    async for chunk in stream:
        finish = chunk.choices[0].finish_reason if chunk.choices else finish
    if finish != "length":
        raise NotWhole("stream")


async def keep_asking(kind: str, ask: Asking, count: Count, is_over: asyncio.Event, *, pause_s: float = 0.0) -> None:
    """Ask until all is over, with pauses of up to `pause_s`, in which a connection lies idle."""
    while not is_over.is_set():
        try:
            await ask()
        except (httpx2.HTTPError, openai.OpenAIError, NotWhole) as failure:
            reason = f"{kind}: {type(failure).__name__} {failure}"
            count.failed[reason] += 1
            log.warning("%s", reason)
        else:
            count.answered[kind] += 1
        await asyncio.sleep(random.random() * pause_s)  # noqa: S311 - any moment


@asynccontextmanager
async def load(
    url: str, count: Count, *, callers: int, long_tokens: int = LONG, pause_s: float = 0.0
) -> AsyncIterator[None]:
    """Ask all the time: by so many callers of each quick kind, and by some that hold a stream for long.

    Quick callers who are to leave the machine some time pause for up to `pause_s`.
    """
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)  # those of the library
    is_over = asyncio.Event()
    async with (
        httpx2.AsyncClient(base_url=url, limits=limits, timeout=300, trust_env=False) as http,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=300) as client,
        asyncio.TaskGroup() as group,
    ):
        kinds: list[tuple[str, Asking, float, int]] = [
            ("one piece", partial(ask_for_piece, http), pause_s, callers),
            ("one piece, idle in between", partial(ask_for_piece, http), 4.0, callers),
            ("short stream", partial(ask_for_stream, http, SHORT), pause_s, callers),
            ("long stream", partial(ask_for_stream, http, long_tokens), 0.5, max(callers // 4, 1)),
            ("openai library", partial(ask_with_library, client, SHORT), pause_s, max(callers // 4, 1)),
        ]
        for kind, ask, rest_s, many in kinds:
            for _ in range(many):
                group.create_task(keep_asking(kind, ask, count, is_over, pause_s=rest_s))
        try:
            yield
        finally:
            is_over.set()


@asynccontextmanager
async def gateways(
    folder: Path, *, settings: dict[str, str], itl_ms: float = 15
) -> AsyncIterator[tuple[list[Gateway], Balancer, list[sim.RunningSim]]]:
    """Run two simulators, three gateways before them, and a balancer before those, in which all are ready."""
    async with AsyncExitStack() as stack:
        replicas = []
        for _ in range(2):
            replicas.append(await sim.start(sim.SimSettings(ttft_ms=0, ttft_ms_per_1k=0, itl_ms=itl_ms)))
            stack.push_async_callback(replicas[-1].close)
        behind = [Gateway(folder, [each.url for each in replicas], settings) for _ in range(GATEWAYS)]
        for each in behind:
            stack.push_async_callback(each.close)
            await each.start()
        ports = [each.port for each in behind]
        balancer = await stack.enter_async_context(Balancer(ports, every_s=EVERY_S, fresh_s=FRESH_S))
        for each in behind:
            await ready(balancer, each)
        yield behind, balancer, replicas


async def ready(balancer: Balancer, gateway: Gateway) -> None:
    """Wait until a gateway gets new connections."""
    async with asyncio.timeout(_START_S):
        while gateway.port not in balancer.ready:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(EVERY_S)


def _port() -> int:
    """Return a free port that no outgoing connection takes while its gateway is away."""
    while True:
        port = random.randrange(10_000, 30_000)  # noqa: S311 - any
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


async def roll(behind: Sequence[Gateway], balancer: Balancer) -> list[int]:
    """Restart one gateway after the other; return their exit statuses."""
    statuses = []
    for each in behind:
        statuses.append(await each.stop())
        await each.start()
        await ready(balancer, each)
    return statuses


async def measure(folder: Path, requests: int, *, callers: int, delay_s: float) -> None:
    """Restart gateways until so many requests are over, and print what became of them."""
    count, statuses, tasks = Count(), [], Tasks("rolling restart")
    settings = {"GATEWAY_DRAIN_DELAY_S": str(delay_s), "GATEWAY_DRAIN_S": "300"}
    began = SystemClock.now()
    async with gateways(folder, settings=settings) as (behind, balancer, _):
        telling = tasks.start(_tell(count), name="tell")
        async with load(balancer.url, count, callers=callers):
            while count.total < requests:
                statuses += await roll(behind, balancer)
        telling.cancel()
        print(f"{count.total} requests in {SystemClock.now() - began:.0f} s, {len(statuses)} restarts")
        print(f"exit statuses {sorted(set(statuses))}")
        print(f"connections {list(balancer.sent.values())}, {balancer.refused} came to nothing")
    for kind, number in sorted(count.answered.items()):
        print(f"{kind:28} {number:6} answered")
    print(f"{'failed':28} {count.failed.total():6}")
    for reason, number in count.failed.most_common():
        print(f"    {number:6} {reason}")


async def _tell(count: Count) -> None:
    while True:
        await asyncio.sleep(10)
        print(f"... {count.total}, {count.failed.total()} failed", file=sys.stderr)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--callers", type=int, default=12)
    parser.add_argument("--delay", type=float, default=DELAY_S, help="drain_delay_s of the gateways")
    asked = parser.parse_args()
    logging.basicConfig(level="WARNING", format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory() as name, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(Path(name), asked.requests, callers=asked.callers, delay_s=asked.delay))


if __name__ == "__main__":
    main()
