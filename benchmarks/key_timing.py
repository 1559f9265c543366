"""Does the time that a key takes tell anything about it?

Asks the keyring in this process about wrong keys that share nothing, a little, or all but the last character with a
right one, about a revoked key, and about right ones among 1, 100 and 10,000 others; prints medians and, for wrong keys,
the Mann-Whitney test of each kind against keys that share nothing. The test says how likely a difference as large as
the one seen is by chance: below 0.01 the times tell something.

    python -m benchmarks.key_timing [--rounds 20000]
"""

import argparse
import asyncio
import contextlib
import math
import random
import statistics
import string
import time
from collections.abc import Sequence

from pydantic import SecretStr
from typing_extensions import override

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.keys.secret import mint
from vllm_gateway.admission.keys.throttle import Throttle
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import KeyRefused
from vllm_gateway.settings.admission import Auth

_LETTERS = string.ascii_letters + string.digits


class Patient(Throttle):
    """Counts nothing: the throttle has its own time, which is the same for every wrong key."""

    @override
    def check(self, address: str) -> None:
        """Let everything through."""

    @override
    def count(self, address: str) -> None:
        """Forget it."""


async def took_ns(keys: Keys, key: str) -> int:
    """Return how long one look at a key takes."""
    headers = [(b"authorization", b"Bearer " + key.encode())]
    began = time.perf_counter_ns()
    with contextlib.suppress(KeyRefused):
        await keys.admit(headers, "127.0.0.1")
    return time.perf_counter_ns() - began


def likelihood(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the two-sided p-value of Mann and Whitney's U test, by its normal approximation with ties averaged."""
    ranked = sorted((value, side) for side, values in ((0, one), (1, other)) for value in values)
    rank_sum, at = 0.0, 0
    ties = 0.0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        rank = (at + end + 1) / 2
        rank_sum += rank * sum(side == 0 for _, side in ranked[at:end])
        ties += (end - at) ** 3 - (end - at)
        at = end
    first, second = len(one), len(other)
    both = first + second
    mean = first * second / 2
    spread = math.sqrt(first * second / 12 * (both + 1 - ties / (both * (both - 1))))
    z = (rank_sum - first * (first + 1) / 2 - mean) / spread
    return math.erfc(abs(z) / math.sqrt(2))


def wrong_key(chance: random.Random, right: str, shared: int) -> str:
    """Return a wrong key that begins as the right one does, newly made, so that every kind lies in memory alike."""
    made = "".join(chance.choice(_LETTERS) for _ in right)  # as many as it takes for any kind
    return right[:shared] + made[shared:]


async def measure(rounds: int) -> None:
    """Print both tables."""
    clock = SystemClock()
    right = "sk-" + "r" * 37
    others = [SecretStr(mint()) for _ in range(100)]
    keys = Keys(Auth(mode="keys", client_keys=(SecretStr(right), *others)), throttle=Patient(clock), clock=clock)
    chance = random.Random(1)  # noqa: S311 - the same every time
    kinds = {
        "nothing right": 0,
        "nothing right, again": 0,
        "the first 8": 8,
        "the first 31": 31,
        "all but the last": 39,
    }
    seen: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        asked = [(name, wrong_key(chance, right, shared)) for name, shared in kinds.items()]
        chance.shuffle(asked)
        for name, key in asked:
            seen[name].append(await took_ns(keys, key))
    first = "nothing right"
    print("| wrong key | median ns | mean of the middle 80 % | p against the first |\n|---|---:|---:|---:|")
    for name, times in seen.items():
        middle = sorted(times)[len(times) // 10 : -len(times) // 10]
        likely = "" if name == first else f"{likelihood(seen[first], times):.3f}"
        print(f"| {name} | {statistics.median(times):.0f} | {statistics.fmean(middle):.1f} | {likely} |")
    print("\n| keys known | right key, median ns |\n|---:|---:|")
    for count in (1, 100, 10_000):
        known = tuple(SecretStr(mint()) for _ in range(count))
        keys = Keys(Auth(mode="keys", client_keys=known), throttle=Patient(clock), clock=clock)
        key = known[-1].get_secret_value()
        times = [await took_ns(keys, key) for _ in range(rounds)]
        print(f"| {count:,} | {statistics.median(times):.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How long keys take.")
    parser.add_argument("--rounds", type=int, default=20_000)
    asyncio.run(measure(parser.parse_args().rounds))
