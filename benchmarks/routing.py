"""What a policy makes of conversations of many turns: how soon answers begin, and how much was in a cache already.

    python -m benchmarks.routing                     every policy on the simulator, without and with session headers
    python -m benchmarks.routing --policies least_busy prefix --conversations 40
    python -m benchmarks.routing --on-paper          the same question without sockets, in seconds

Four replicas, a gateway and the callers share one process. The replicas are embedded engines: a prompt costs time as
far as their prefix caches do not have it, prompts are computed one after the other, and the caches are too small for
all conversations together. Conversations begin at random moments with one of a few long system prompts, the first of
which is the most popular; each turn sends everything that was said before. Every policy gets the same conversations,
and replicas that have seen nothing yet. Policies take turns, round by round; times are the medians of the rounds.
"""

import argparse
import asyncio
import socket
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, get_args

import httpx2
import uvloop

from benchmarks.paper_fleet import WORDS, PaperLoad, Score, compare
from vllm_gateway import codec, serve
from vllm_gateway.clock import SystemClock
from vllm_gateway.edge.server import Server, Stop
from vllm_gateway.settings.fleet import PolicyName
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.sim import SimSettings, start
from vllm_gateway.tasks import Tasks

_CHAT = "/v1/chat/completions"
_MODEL = "sim-small"
_POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
_SEED = 7


@dataclass(frozen=True, slots=True)
class Load:
    """Who talks, and to what."""

    replicas: int = 4
    conversations: int = 80
    starts_per_s: float = 4.0
    most_turns: int = 8
    systems: int = 6
    system_words: int = 300
    said_words: int = 40
    answer_tokens: int = 30
    pause_s: float = 1.0
    """Between an answer and what is said next, on average."""
    kv_blocks: int = 1024
    ttft_ms_per_1k: float = 300.0
    itl_ms: float = 10.0


@dataclass(slots=True)
class Seen:
    """What callers saw."""

    ttfts_s: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    failed: int = 0

    def ttft_ms(self, percent: int) -> float:
        """Return a quantile of the times to a first token."""
        return 1000 * statistics.quantiles(self.ttfts_s, n=100)[percent - 1]


@dataclass(slots=True)
class Talk:
    """One conversation, with all its chances drawn before it begins."""

    name: str
    begins_s: float
    turns: list[tuple[str, float]]
    """What is said, and the pause after its answer."""
    messages: list[dict[str, Any]]


def talks(load: Load) -> list[Talk]:
    """Return the conversations; the same ones every time."""
    random = Random(_SEED)  # noqa: S311 - a load, not a secret
    systems = [_text(random, load.system_words) for _ in range(load.systems)]
    popularity = [1 / (1 + place) for place in range(load.systems)]
    made, begins_s = [], 0.0
    for number in range(load.conversations):
        begins_s += random.expovariate(load.starts_per_s)
        said = [
            (_text(random, load.said_words), random.expovariate(1 / load.pause_s))
            for _ in range(random.randint(2, load.most_turns))
        ]
        system = {"role": "system", "content": random.choices(systems, popularity)[0]}
        made.append(Talk(f"talk-{number}", begins_s, said, [system]))
    return made


class Callers:
    """Has conversations, and notes what they see."""

    def __init__(self, http: httpx2.AsyncClient, load: Load, *, names_conversations: bool) -> None:
        self.seen = Seen()
        self._http = http
        self._load = load
        self._names_conversations = names_conversations
        self._clock = SystemClock()

    async def talk(self, talk: Talk) -> None:
        """Say everything, one thing after the other."""
        await asyncio.sleep(talk.begins_s)
        for said, pause_s in talk.turns:
            talk.messages.append({"role": "user", "content": said})
            answer = await self._ask(talk)
            if answer is None:
                self.seen.failed += 1
                return
            talk.messages.append({"role": "assistant", "content": answer})
            await asyncio.sleep(pause_s)

    async def _ask(self, talk: Talk) -> str | None:
        body = {
            "model": _MODEL,
            "messages": talk.messages,
            "max_tokens": self._load.answer_tokens,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        headers = {"x-session-id": talk.name} if self._names_conversations else {}
        texts: list[str] = []
        began, usage = self._clock.now(), None
        async with self._http.stream("POST", _CHAT, json=body, headers=headers) as reply:
            async for line in reply.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                chunk = codec.loads(line.removeprefix("data: "))
                usage = chunk.get("usage") or usage
                for choice in chunk.get("choices", ()):
                    text = choice["delta"].get("content")
                    if text:
                        if not texts:
                            self.seen.ttfts_s.append(self._clock.now() - began)
                        texts.append(text)
        if usage is None:
            return None
        self.seen.prompt_tokens += usage["prompt_tokens"]
        self.seen.cached_tokens += (usage["prompt_tokens_details"] or {}).get("cached_tokens") or 0
        return "".join(texts)


@asynccontextmanager
async def door(load: Load, policy: PolicyName) -> AsyncIterator[str]:
    """Run the replicas and a gateway before them; the address is the gateway's."""
    kind = SimSettings(
        port=0,
        ttft_ms=10,
        ttft_ms_per_1k=load.ttft_ms_per_1k,
        itl_ms=load.itl_ms,
        kv_blocks=load.kv_blocks,
        max_model_len=min(16_384, load.kv_blocks * 16),
    )
    async with AsyncExitStack() as stack:
        sims = []
        for _ in range(load.replicas):
            sims.append(await start(kind))
            stack.push_async_callback(sims[-1].close)
        settings = Settings.model_validate(
            {
                "upstreams": tuple(Upstream(url=sim.url) for sim in sims),
                "balance": {"policy": policy},
                "session": {"backend": "memory"},
            }
        )
        listener = socket.create_server(("127.0.0.1", 0), backlog=serve.BACKLOG)
        parts = await stack.enter_async_context(serve.build(settings))
        stop, tasks = Stop(), Tasks("routing")
        server = Server(serve.server_config(settings, parts.door), stop=stop, drain=parts.drain.run)
        running = tasks.start(server.serve(sockets=[listener]), name="gateway")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.ask()
            await running


async def measure(load: Load, policy: PolicyName, *, names_conversations: bool) -> Seen:
    """Have all conversations through one policy."""
    many = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with (
        door(load, policy) as url,
        httpx2.AsyncClient(base_url=url, limits=many, timeout=60, trust_env=False) as http,
    ):
        callers = Callers(http, load, names_conversations=names_conversations)
        await asyncio.gather(*map(callers.talk, talks(load)))
    return callers.seen


def row(policy: PolicyName, rounds: Sequence[Seen]) -> str:
    """Return a line of the table."""
    p50, p95 = (statistics.median(seen.ttft_ms(percent) for seen in rounds) for percent in (50, 95))
    answers, failed = sum(len(seen.ttfts_s) for seen in rounds), sum(seen.failed for seen in rounds)
    hit = 100 * sum(seen.cached_tokens for seen in rounds) / sum(seen.prompt_tokens for seen in rounds)
    return f"| {policy} | {answers} | {failed} | {p50:.0f} ms | {p95:.0f} ms | {hit:.1f} % |"


async def on_the_simulator(load: Load, policies: Sequence[PolicyName], rounds: int) -> None:
    """Print a table without session headers, and one with them."""
    for names_conversations in (False, True):
        seen: dict[PolicyName, list[Seen]] = {policy: [] for policy in policies}
        for policy in [*policies] * rounds:
            seen[policy].append(await measure(load, policy, names_conversations=names_conversations))
        print(f"\n{'With' if names_conversations else 'Without'} session headers\n")
        print(
            "| policy | answers | failed | TTFT p50 | TTFT p95 | prompt tokens cached |\n|---|---:|---:|---:|---:|---:|"
        )
        for policy in policies:
            print(row(policy, seen[policy]), flush=True)


def on_paper(policies: Sequence[PolicyName], *, seeds: int = 5) -> None:
    """Print medians over several seeds for fleets that exist on paper only."""
    loads = {
        "moderate load": PaperLoad(starts_per_s=2.5),
        "near the limit": PaperLoad(),
        "heavy prompts": PaperLoad(places=64, prefill_ms_per_1k=600.0),
        "one system prompt": PaperLoad(systems=1, system_bytes=6000, places=16),
        "small caches": PaperLoad(starts_per_s=2.5, cache_blocks=600),
        "one replica twice as fast": PaperLoad(starts_per_s=3.0, weights=(2.0, 1.0, 1.0, 1.0)),
        "session headers": PaperLoad(starts_per_s=2.5, names_conversations=True),
    }
    print("| load | policy | TTFT p50 | TTFT p95 | prompt blocks cached |\n|---|---|---:|---:|---:|")
    for name, load in loads.items():
        runs = [compare(policies, load, seed=seed) for seed in range(1, seeds + 1)]
        for policy in policies:
            scores: list[Score] = [run[policy] for run in runs]
            p50 = statistics.median(score.ttft_p50_ms for score in scores)
            p95 = statistics.median(score.ttft_p95_ms for score in scores)
            hit = statistics.median(score.hit_percent for score in scores)
            print(f"| {name} | {policy} | {p50:.0f} ms | {p95:.0f} ms | {hit:.1f} % |", flush=True)


def _text(random: Random, words: int) -> str:
    return " ".join(random.choices(WORDS, k=words))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", nargs="+", choices=_POLICIES, default=_POLICIES)
    parser.add_argument("--conversations", type=int, default=Load().conversations)
    parser.add_argument("--starts-per-s", type=float, default=Load().starts_per_s)
    parser.add_argument("--kv-blocks", type=int, default=Load().kv_blocks)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--on-paper", action="store_true")
    asked = parser.parse_args()
    if asked.on_paper:
        on_paper(asked.policies)
        return
    load = Load(conversations=asked.conversations, starts_per_s=asked.starts_per_s, kv_blocks=asked.kv_blocks)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(on_the_simulator(load, asked.policies, asked.rounds))


if __name__ == "__main__":
    main()
