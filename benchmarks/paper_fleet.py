"""A fleet on paper: replicas, caches and conversations as events in a heap, to compare policies without a socket.

A replica computes prompts one after the other, as one accelerator does; what its cache has costs nothing. Answers take
the same time for every token, and a replica has only so many places. Everything is drawn from one seed.
"""

import heapq
import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.exchange import Exchange, Usage
from vllm_gateway.routing.policies import Policy, policy_of
from vllm_gateway.routing.prefix_blocks import blocks_of
from vllm_gateway.settings.fleet import Balance, PolicyName

_PATH = "/v1/chat/completions"
_OPERATION = build_operations(max_json_depth=64)[_PATH]
_BLOCK_TOKENS = 16
WORDS = (
    "all",
    "be",
    "can",
    "day",
    "eye",
    "far",
    "get",
    "how",
    "it",
    "just",
    "know",
    "like",
    "more",
    "now",
    "of",
    "you",
)


@dataclass(frozen=True, slots=True)
class PaperLoad:
    """Who talks to the fleet, and how fast it is."""

    replicas: int = 4
    conversations: int = 200
    starts_per_s: float = 4.0
    turns: tuple[int, int] = (2, 8)
    """Fewest and most turns of one conversation."""
    systems: int = 6
    """Prompts that conversations begin with; the first is the most popular by far."""
    system_bytes: int = 2000
    said_bytes: int = 300
    answer_tokens: int = 100
    pause_s: float = 3.0
    """Between an answer and what is said next, on average."""
    places: int = 8
    cache_blocks: int = 3000
    prefill_ms_per_1k: float = 300.0
    itl_ms: float = 15.0
    names_conversations: bool = False
    """The caller sends a session header."""
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """What callers saw, and how much of their prompts was there already."""

    ttft_p50_ms: float
    ttft_p95_ms: float
    hit_percent: float
    answers: int


@dataclass(slots=True, eq=False)
class PaperReplica:
    """One replica; its first fields are what policies look at."""

    name: str
    weight: float = 1.0
    work: float = 0.0
    others: int = 0
    turn: float = 0.0
    returns: int = 0
    running: int = 0
    free_at_s: float = 0.0
    cache: "OrderedDict[int, None]" = field(default_factory=OrderedDict)
    line: "deque[Callable[[], None]]" = field(default_factory=deque)

    def hit(self, blocks: Sequence[int]) -> int:
        """Return how many of the first blocks are in the cache."""
        return sum(1 for _ in itertools.takewhile(self.cache.__contains__, blocks))

    def keep(self, blocks: Sequence[int], most: int) -> None:
        """Keep blocks; those that were not used for the longest time leave, the last of a prompt first."""
        for block in reversed(blocks):
            self.cache[block] = None
            self.cache.move_to_end(block)
        while len(self.cache) > most:
            self.cache.popitem(last=False)


@dataclass(slots=True)
class Talk:
    """One conversation."""

    name: str
    turns: int
    messages: list[dict[str, str]]
    last: str | None = None
    """The replica that answered last."""


class PaperFleet:
    """Runs one load with one policy."""

    def __init__(self, policy: Policy, load: PaperLoad, seed: int) -> None:
        self.policy = policy
        self.load = load
        self.random = Random(seed)  # noqa: S311 - a load, not a secret
        weights = load.weights or (1.0,) * load.replicas
        self.replicas = [PaperReplica(f"replica-{number}", weight) for number, weight in enumerate(weights)]
        self.ttfts_s: list[float] = []
        self.prompt_blocks = self.hit_blocks = 0
        self._now_s = self._turn = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def run(self) -> Score:
        """Let all conversations happen."""
        at_s = 0.0
        systems = [self._text(self.load.system_bytes) for _ in range(self.load.systems)]
        popularity = [1 / (1 + place) for place in range(len(systems))]
        for number in range(self.load.conversations):
            system = self.random.choices(systems, popularity)[0]
            talk = Talk(f"talk-{number}", self.random.randint(*self.load.turns), [_message("system", system)])
            self._at(at_s, lambda talk=talk: self._say(talk))  # type: ignore[misc] # mypy cannot infer this lambda
            at_s += self.random.expovariate(self.load.starts_per_s)
        while self._events:
            self._now_s, _, happen = heapq.heappop(self._events)
            happen()
        times = sorted(self.ttfts_s)
        return Score(
            ttft_p50_ms=1000 * times[len(times) // 2],
            ttft_p95_ms=1000 * times[math.ceil(len(times) * 0.95) - 1],
            hit_percent=100 * self.hit_blocks / self.prompt_blocks,
            answers=len(times),
        )

    def _at(self, at_s: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at_s, next(self._numbers), happen))

    def _say(self, talk: Talk) -> None:
        talk.turns -= 1
        talk.messages.append(_message("user", self._text(self.load.said_bytes)))
        exchange = self._exchange(talk)
        replica = self.policy.choose(self.replicas, exchange)
        self._turn = max(self._turn, replica.turn)
        replica.turn = self._turn + 1 / replica.weight
        replica.work += exchange.work
        asked_s = self._now_s
        replica.line.append(lambda: self._begin(talk, exchange, replica, asked_s))
        self._let_in(replica)

    def _exchange(self, talk: Talk) -> Exchange:
        body = codec.dumps({"model": "m", "max_tokens": self.load.answer_tokens, "messages": talk.messages})
        exchange = Exchange(talk.name, _OPERATION, [], _nothing, self._now_s, model="m", asked=_OPERATION.read(body))
        exchange.prefers = talk.last if self.load.names_conversations else None
        assert exchange.asked is not None  # noqa: S101 - it has just been made; tells mypy
        self.policy.look(exchange, exchange.asked)
        return exchange

    def _let_in(self, replica: PaperReplica) -> None:
        while replica.line and replica.running < self.load.places:
            replica.running += 1
            replica.line.popleft()()

    def _begin(self, talk: Talk, exchange: Exchange, replica: PaperReplica, asked_s: float) -> None:
        blocks = self._blocks(exchange)
        hit = replica.hit(blocks)
        missing_tokens = (len(blocks) - hit) * _BLOCK_TOKENS
        prefill_s = missing_tokens * self.load.prefill_ms_per_1k / 1_000_000 / replica.weight
        replica.free_at_s = max(replica.free_at_s, self._now_s) + prefill_s
        self.prompt_blocks += len(blocks)
        self.hit_blocks += hit
        replica.keep(blocks, self.load.cache_blocks)
        self.ttfts_s.append(replica.free_at_s - asked_s)
        tokens = len(blocks) * _BLOCK_TOKENS
        exchange.usage = Usage(tokens, self.load.answer_tokens, hit * _BLOCK_TOKENS)
        ends_s = replica.free_at_s + self.load.answer_tokens * self.load.itl_ms / 1000
        self._at(ends_s, lambda: self._end(talk, exchange, replica))

    def _end(self, talk: Talk, exchange: Exchange, replica: PaperReplica) -> None:
        replica.running -= 1
        replica.work -= exchange.work
        self.policy.learn(exchange, replica.name)
        talk.last = replica.name
        talk.messages.append(_message("assistant", self._text(self.load.answer_tokens * 4)))
        replica.keep(self._blocks(self._exchange_fields(talk)), self.load.cache_blocks)
        if talk.turns:
            pause_s = self.random.expovariate(1 / self.load.pause_s)
            self._at(self._now_s + pause_s, lambda: self._say(talk))
        self._let_in(replica)

    def _exchange_fields(self, talk: Talk) -> Exchange:
        body = codec.dumps({"model": "m", "messages": talk.messages})
        return Exchange(talk.name, _OPERATION, [], _nothing, self._now_s, asked=_OPERATION.read(body))

    @staticmethod
    def _blocks(exchange: Exchange) -> list[int]:
        assert exchange.asked is not None  # noqa: S101 - as above
        return blocks_of(exchange.asked, "a replica's own hashes")

    def _text(self, size_bytes: int) -> str:
        return " ".join(self.random.choices(WORDS, k=size_bytes // 4))[:size_bytes]


def compare(names: Sequence[PolicyName], load: PaperLoad, *, seed: int = 1) -> dict[PolicyName, Score]:
    """Run the same load with each policy."""
    scores: dict[PolicyName, Score] = {}
    for name in names:
        policy = policy_of(name, balance=Balance(), random=Random(seed))  # noqa: S311 - a load, not a secret
        scores[name] = PaperFleet(policy, load, seed).run()
    return scores


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


async def _nothing() -> bytes:
    return b""
