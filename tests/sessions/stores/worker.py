"""A gateway's worth of turns in a process of its own: `python -m tests.sessions.stores.worker BACKEND ADDRESS NAME N`.

Every turn that the store has acknowledged is printed at once.
"""

import asyncio
import sys
from contextlib import suppress
from typing import cast

from tests.sessions.stores.places import NOW, Backend, opened, turn
from vllm_gateway.sessions.store import SessionTaken, Store

SESSION = "shared"


async def say(store: Store, text: str) -> int:
    """Have one turn in the session that all share; return the place of what was said."""
    begun = None
    while begun is None:
        with suppress(SessionTaken):
            begun = await store.begin(SESSION, text, NOW, lease_s=30)
        if begun is None:
            await asyncio.sleep(0.001)
    after = await store.finish(SESSION, text, turn(text))
    if after is None:
        raise LookupError("the turn was lost")
    return after.messages - 1


async def work(backend: Backend, address: str, name: str, turns: int) -> None:
    """Have so many turns."""
    store = opened(backend, address)
    for number in range(turns):
        text = f"{name}-{number}"
        print(await say(store, text), text, flush=True)  # noqa: T201 - read by the test
    await store.close()


if __name__ == "__main__":
    asyncio.run(work(cast("Backend", sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
