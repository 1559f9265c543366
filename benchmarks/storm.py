"""Whether places are lost or given twice while requests end in every way there is.

    python -m benchmarks.storm --requests 10000

A gateway lets four requests at once through to a simulator, which fails in many ways; callers leave at any moment. In
the end as many fresh requests as there are places must be answered at once.
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
from collections import Counter
from pathlib import Path

import httpx2
import uvloop

from benchmarks.balancer import Balancer
from benchmarks.rolling_restart import MODEL, Gateway, ready
from vllm_gateway import sim
from vllm_gateway.clock import SystemClock

PLACES = 4
CALLERS = 12
FAULTS = ["status=400%8", "status=500%8", "reset@0%8", "reset@2%8", "error@1%8", "eof@3%8", "stall@1%2", "slow=0.05%5"]
SETTINGS = {
    "GATEWAY_LIMITS__CONCURRENT": str(PLACES),
    "GATEWAY_TIMEOUTS__IDLE_S": "0.3",
    "GATEWAY_TIMEOUTS__TOTAL_S": "10",
    "GATEWAY_RETRY__ATTEMPTS": "1",
    "GATEWAY_PROBE__EVERY_S": "0.5",
}
_CHAT = "/v1/chat/completions"
_QUIET_S = 5.0
"""How long after the storm those who left and the replica's health may need to be over it."""


def question(tokens: int, *, is_stream: bool) -> dict[str, object]:
    """Return a chat; no two are alike."""
    words = str(random.random())  # noqa: S311 - only to be another one
    return {"model": MODEL, "messages": [{"role": "user", "content": words}], "max_tokens": tokens, "stream": is_stream}


async def ask(http: httpx2.AsyncClient, chance: random.Random) -> int:
    """Ask in one of many ways, and perhaps leave before the first token or behind it; return the status."""
    way = chance.random()
    tokens = -1 if chance.random() < 0.05 else 5  # noqa: PLR2004 - one in twenty is wrong
    body = question(tokens, is_stream=chance.random() < 0.6)  # noqa: PLR2004 - more streams than others
    with contextlib.suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(0.003 if way < 0.15 else 30):  # noqa: PLR2004 - some leave at once
            async with http.stream("POST", _CHAT, json=body) as reply:
                if way >= 0.3:  # noqa: PLR2004 - and some when it begins
                    await reply.aread()
                return reply.status_code
    return 0


async def measure(folder: Path, requests: int) -> None:
    """Let the storm pass, and print what is left of it."""
    statuses: Counter[int] = Counter()
    engine = await sim.start(sim.SimSettings(ttft_ms=0, ttft_ms_per_1k=0, itl_ms=0, faults=tuple(FAULTS)))
    gateway = Gateway(folder, [engine.url], SETTINGS)
    await gateway.start()
    url = f"http://127.0.0.1:{gateway.port}"
    async with (
        Balancer([gateway.port], every_s=0.1, fresh_s=5) as probing,
        httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as http,
    ):
        await ready(probing, gateway)

        async def keep_asking(seed: int) -> None:
            chance = random.Random(seed)  # noqa: S311 - the same every time
            for _ in range(requests // CALLERS):
                statuses[await ask(http, chance)] += 1

        began = SystemClock.now()
        await asyncio.gather(*map(keep_asking, range(CALLERS)))
        print(f"{statuses.total()} requests in {SystemClock.now() - began:.0f} s: {dict(sorted(statuses.items()))}")
        await engine.faults.clear()
        await asyncio.sleep(_QUIET_S)
        fresh = [http.post(_CHAT, json=question(2, is_stream=False)) for _ in range(PLACES)]
        print(f"fresh requests: {[reply.status_code for reply in await asyncio.gather(*fresh)]}")
        print(f"most at once at the replica: {engine.engine.scheduler.most_running}, of {PLACES} places")
    await gateway.stop()
    await engine.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(Path(name), asked.requests))


if __name__ == "__main__":
    main()
