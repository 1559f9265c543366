"""What callers get of a full replica: greedy callers with many requests at once, and one who asks now and then.

    python -m benchmarks.fairness                         50 greedy keys and a light one before 8 places
    python -m benchmarks.fairness --greedy 10 --seconds 5
    python -m benchmarks.fairness --longer 4              every other greedy key asks for answers four times as long

Gateway, replica and callers share one process. The replica is the embedded engine, which takes its time for every
token. It prints a Markdown table: how long a request waited beyond the time that the answer itself takes, and which
part of all tokens each group of callers was served.
"""

import argparse
import asyncio
import socket
import statistics
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2

from vllm_gateway import serve
from vllm_gateway.clock import SystemClock
from vllm_gateway.edge.server import Server, Stop
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.sim import SimSettings, start
from vllm_gateway.tasks import Tasks

_CHAT = "/v1/chat/completions"
_MODEL = "sim-small"
_SETTLE_S = 2.0
"""Until the queue is as long as it will be."""
_OK = 200


@dataclass(frozen=True, slots=True)
class Load:
    """Who asks for what."""

    greedy: int = 50
    at_once: int = 20
    """Requests that each greedy caller has under way all the time."""
    longer: int = 1
    """So many times as long are the answers that every other greedy caller asks for."""
    places: int = 8
    """Requests that the replica takes at once."""
    reply_tokens: int = 8
    measured_s: float = 15.0

    @property
    def ttft_ms(self) -> float:
        """Time until a first token."""
        return 40.0

    @property
    def itl_ms(self) -> float:
        """Time between two tokens."""
        return 5.0

    @property
    def pause_s(self) -> float:
        """How long the light caller rests between two requests, so that it asks for half of an equal part."""
        return 2 * (self.greedy + 1) * self.service_s(self.reply_tokens) / self.places

    def service_s(self, tokens: int) -> float:
        """Return how long an answer takes when nobody else asks."""
        return (self.ttft_ms + self.itl_ms * (tokens - 1)) / 1000


@dataclass(slots=True)
class Caller:
    """One key, and what it got while it was measured."""

    group: str
    key: str
    reply_tokens: int
    tokens: int = 0
    failed: int = 0
    waits_s: list[float] = field(default_factory=list)


class Crowd:
    """Callers who ask again as soon as they are answered."""

    def __init__(self, http: httpx2.AsyncClient, load: Load) -> None:
        self.is_measured = False
        self._http = http
        self._load = load
        self._clock = SystemClock()

    async def ask_on(self, caller: Caller, pause_s: float) -> None:
        """Go on for ever."""
        headers = {"authorization": f"Bearer {caller.key}"}
        said = [{"role": "user", "content": "Hello"}]
        body = {"model": _MODEL, "messages": said, "max_tokens": caller.reply_tokens, "ignore_eos": True}
        while True:
            began = self._clock.now()
            reply = await self._http.post(_CHAT, json=body, headers=headers)
            if self.is_measured:
                self._note(caller, reply, self._clock.now() - began)
            if pause_s:
                await asyncio.sleep(pause_s)

    def _note(self, caller: Caller, reply: httpx2.Response, took_s: float) -> None:
        if reply.status_code != _OK:
            caller.failed += 1
            return
        usage = reply.json()["usage"]
        caller.tokens += usage["total_tokens"]
        caller.waits_s.append(max(0.0, took_s - self._load.service_s(usage["completion_tokens"])))


def callers_of(load: Load) -> list[Caller]:
    """Return everybody, the light one last."""
    greedy = []
    for number in range(load.greedy):
        is_long = load.longer > 1 and number % 2 == 1
        group, times = ("greedy, long answers", load.longer) if is_long else ("greedy", 1)
        greedy.append(Caller(group, f"greedy-key-{number:04}", load.reply_tokens * times))
    return [*greedy, Caller("light", "light-key-0000", load.reply_tokens)]


@asynccontextmanager
async def door(load: Load, keys: Iterable[str]) -> AsyncIterator[str]:
    """Run a replica and a gateway before it; the address is the gateway's."""
    kind = SimSettings(ttft_ms=load.ttft_ms, ttft_ms_per_1k=0, itl_ms=load.itl_ms)
    sim = await start(kind)
    try:
        async with _gateway(load, sim.url, keys) as url:
            yield url
    finally:
        await sim.close()


@asynccontextmanager
async def _gateway(load: Load, replica: str, keys: Iterable[str]) -> AsyncIterator[str]:
    settings = Settings.model_validate(
        {
            "upstreams": (Upstream(url=replica, max_concurrent=load.places),),
            "auth": {"mode": "keys", "client_keys": tuple(keys)},
            "queue": {"size": load.greedy * load.at_once + 1, "wait_s": 3600},
            "session": {"backend": "memory"},
            "timeouts": {"total_s": 0},
        }
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=serve.BACKLOG)
    tasks = Tasks("fairness")
    async with serve.build(settings) as parts:
        stop = Stop()
        server = Server(serve.server_config(settings, parts.door), stop=stop, drain=parts.drain.run)
        running = tasks.start(server.serve(sockets=[listener]), name="gateway")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.ask()
            await running


async def measure(load: Load) -> list[Caller]:
    """Let everybody ask for a while; return what each got."""
    callers = callers_of(load)
    many = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    tasks = Tasks("callers")
    async with (
        door(load, [caller.key for caller in callers]) as url,
        httpx2.AsyncClient(base_url=url, limits=many, timeout=None, trust_env=False) as http,
    ):
        crowd = Crowd(http, load)
        for caller in callers:
            is_light = caller.group == "light"
            for _ in range(1 if is_light else load.at_once):
                tasks.start(crowd.ask_on(caller, load.pause_s if is_light else 0.0), name="caller")
        await asyncio.sleep(_SETTLE_S)
        crowd.is_measured = True
        await asyncio.sleep(load.measured_s)
        crowd.is_measured = False
        await tasks.close()
    return callers


def table(callers: list[Caller], load: Load) -> str:
    """Return it as Markdown."""
    total = sum(caller.tokens for caller in callers) or 1
    lines = [
        f"Mean time of an answer when nobody else asks: {load.service_s(load.reply_tokens) * 1000:.0f} ms.",
        "",
        "| callers | keys | requests | failed | tokens | tokens of each key | p50 wait | p95 wait | share |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for group in dict.fromkeys(caller.group for caller in callers):
        own = [caller for caller in callers if caller.group == group]
        waits = sorted(wait for caller in own for wait in caller.waits_s)
        tokens = [caller.tokens for caller in own]
        p50, p95 = _quantile(waits, 50), _quantile(waits, 95)
        lines.append(
            f"| {group} | {len(own)} | {len(waits)} | {sum(caller.failed for caller in own)} | {sum(tokens)} "
            f"| {min(tokens)} to {max(tokens)} | {p50:.0f} ms | {p95:.0f} ms | {100 * sum(tokens) / total:.1f} % |"
        )
    return "\n".join(lines)


def _quantile(waits_s: list[float], percent: int) -> float:
    """Return a quantile in milliseconds; 0 of nothing."""
    if len(waits_s) < 2:  # noqa: PLR2004 - quantiles need two
        return 1000 * sum(waits_s)
    return 1000 * statistics.quantiles(waits_s, n=100)[percent - 1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--greedy", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--longer", type=int, default=1)
    parser.add_argument("--places", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=15.0)
    asked = parser.parse_args()
    load = Load(
        greedy=asked.greedy,
        at_once=asked.at_once,
        longer=asked.longer,
        places=asked.places,
        measured_s=asked.seconds,
    )
    print(table(asyncio.run(measure(load)), load))


if __name__ == "__main__":
    main()
