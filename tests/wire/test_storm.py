"""Places are never lost and never given twice, however requests end."""

import asyncio
import contextlib
import random
from typing import Any

import httpx2

from tests.gateway import Gateway
from tests.waiting import PATIENCE_S, until
from tests.wire.sims import fast, fleet
from vllm_gateway.outcomes import Outcome

CHAT = "/v1/chat/completions"
REQUESTS = 1500
CALLERS = 12
PLACES = 4
FAULTS = ["status=400%8", "status=500%8", "reset@0%8", "reset@2%8", "error@1%8", "eof@3%8", "stall@1%4", "slow=0.05%10"]


async def ask(door: Gateway, chance: random.Random) -> int:
    """Ask once in one of many ways: to the end, broken off before the first token or behind it; return the status."""
    stream = chance.random() < 0.6
    body = {"model": "sim-small", "messages": [{"role": "user", "content": str(chance.random())}], "max_tokens": 5}
    wrong = {"max_tokens": -1} if chance.random() < 0.05 else {}
    way = chance.random()
    with contextlib.suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(0.003 if way < 0.15 else PATIENCE_S):
            async with door.http.stream("POST", CHAT, json={**body, **wrong, "stream": stream}) as reply:
                if way < 0.3:
                    return reply.status_code
                await reply.aread()
                return reply.status_code
    return 0


async def test_never_more_than_may_be_and_free_afterwards() -> None:
    """L-06: four at once, over good answers, refusals, failures, silences and callers who leave; none is lost."""
    statuses: list[int] = []
    settings: dict[str, Any] = {
        "limits": {"concurrent": PLACES},
        "timeouts": {"idle_s": 0.3, "total_s": 5},
        "retry": {"attempts": 1},
        "probe": {"every_s": 0.5},
    }
    async with fleet(fast(faults=tuple(FAULTS)), **settings) as ((sim,), door):
        most = 0

        async def keep_asking(seed: int) -> None:
            nonlocal most
            chance = random.Random(seed)  # noqa: S311 - the same every time
            for _ in range(REQUESTS // CALLERS):
                statuses.append(await ask(door, chance))
                most = max(most, sum(replica.outstanding for replica in door.parts.pool.replicas))

        await asyncio.gather(*map(keep_asking, range(CALLERS)))
        await sim.faults.clear()
        await until(lambda: not door.parts.ledger.live)
        await until(lambda: all(replica.is_usable for replica in door.parts.pool.replicas))
        body = {"model": "sim-small", "messages": [{"role": "user", "content": "again"}], "max_tokens": 2}
        fresh = await asyncio.gather(*(door.http.post(CHAT, json=body) for _ in range(PLACES)))
        outcomes = door.parts.ledger.outcomes
    assert [reply.status_code for reply in fresh] == [200] * PLACES
    assert most <= PLACES
    assert {200, 400, 429} <= set(statuses)
    assert outcomes.total() <= len(statuses) + PLACES  # who left at once may never have been there
    assert all(outcomes[each] > 0 for each in (Outcome.REFUSED_LIMIT, Outcome.CLIENT_GONE, Outcome.UPSTREAM_TRUNCATED))
