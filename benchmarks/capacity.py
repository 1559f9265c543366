"""How far one gateway's choosing goes: fleets of up to 1,000 replicas and 100,000 streams at once, on paper.

    python -m benchmarks.capacity                    some minutes; `--replicas 10 100` for smaller fleets

Callers, replicas and time are simulated (`paper_fleet`); the policies are the gateway's own, and what they cost is
measured: CPU time of looking at a request, choosing among all replicas of its route, and learning from the answer.
Every replica gets ten conversations a second, each with an answer of 300 tokens at 30 a second, so that it has about
a hundred streams at once, for a little longer than one answer takes.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from typing_extensions import override

from benchmarks.paper_fleet import PaperFleet, PaperLoad, PaperReplica, Score, Talk
from vllm_gateway.exchange import Asked, Exchange
from vllm_gateway.routing.load import C
from vllm_gateway.routing.policies import Policy, policy_of
from vllm_gateway.settings.fleet import Balance, PolicyName

POLICIES: tuple[PolicyName, ...] = ("least_busy", "two_choices", "prefix")
STARTS_PER_S = 10.0
"""Of each replica."""
ANSWER_TOKENS = 300
ITL_MS = 1000 / 30
SECONDS = 12.0
_SEED = 11


@dataclass(frozen=True, slots=True)
class Row:
    """What one fleet with one policy came to."""

    replicas: int
    policy: str
    most_at_once: int
    choices: int
    choosing_us: float
    """CPU time of one request's part in choosing."""
    score: Score


class Timed:
    """A policy whose CPU time is noted."""

    def __init__(self, policy: Policy) -> None:
        self.name = policy.name
        self.seconds = 0.0
        self._policy = policy

    def look(self, exchange: Exchange, asked: Asked) -> None:
        """Note how long it takes."""
        began = time.thread_time()
        self._policy.look(exchange, asked)
        self.seconds += time.thread_time() - began

    def choose(self, candidates: Sequence[C], exchange: Exchange) -> C:
        """Note how long it takes."""
        began = time.thread_time()
        chosen = self._policy.choose(candidates, exchange)
        self.seconds += time.thread_time() - began
        return chosen

    def weigh(self, candidates: Sequence[C], exchange: Exchange) -> dict[str, dict[str, float]]:
        """Nobody asks."""
        return self._policy.weigh(candidates, exchange)

    def learn(self, exchange: Exchange, replica_name: str) -> None:
        """Note how long it takes."""
        began = time.thread_time()
        self._policy.learn(exchange, replica_name)
        self.seconds += time.thread_time() - began

    def forget(self, replica_name: str) -> None:
        """Forget a replica."""
        self._policy.forget(replica_name)


class Counted(PaperFleet):
    """A fleet that knows how many streams there were at once."""

    most_at_once = 0
    _now = 0

    @override
    def _begin(self, talk: Talk, exchange: Exchange, replica: PaperReplica, asked_s: float) -> None:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        super()._begin(talk, exchange, replica, asked_s)

    @override
    def _end(self, talk: Talk, exchange: Exchange, replica: PaperReplica) -> None:
        self._now -= 1
        super()._end(talk, exchange, replica)


def measure(replicas: int, name: PolicyName, *, seconds: float = SECONDS) -> Row:
    """Run one fleet with one policy."""
    starts_per_s = STARTS_PER_S * replicas
    load = PaperLoad(
        replicas=replicas,
        conversations=int(starts_per_s * seconds),
        starts_per_s=starts_per_s,
        turns=(1, 1),
        systems=50,
        system_bytes=400,
        said_bytes=100,
        answer_tokens=ANSWER_TOKENS,
        places=256,
        prefill_ms_per_1k=20.0,
        itl_ms=ITL_MS,
    )
    timed = Timed(policy_of(name, balance=Balance(), random=Random(_SEED)))  # noqa: S311 - a load, not a secret
    fleet = Counted(timed, load, _SEED)
    score = fleet.run()
    return Row(replicas, name, fleet.most_at_once, score.answers, 1e6 * timed.seconds / score.answers, score)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| replicas | policy | streams at once | requests/s | choosing, us of CPU a request | of one core |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        per_s = STARTS_PER_S * row.replicas
        share = per_s * row.choosing_us / 1e4
        lines.append(
            f"| {row.replicas:,} | {row.policy} | {row.most_at_once:,} | {per_s:,.0f} | {row.choosing_us:.1f} |"
            f" {share:.2g} % |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all fleets and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of simulated arrivals")
    options = parser.parse_args(arguments)
    print(table([measure(count, name, seconds=options.seconds) for count in options.replicas for name in POLICIES]))


if __name__ == "__main__":
    main()
