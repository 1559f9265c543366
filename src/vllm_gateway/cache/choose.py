"""Which stores the settings ask for. The driver of Redis is imported where it is needed only."""

from typing import NamedTuple

from vllm_gateway.cache.claims import Claims
from vllm_gateway.cache.memory import MemoryStore
from vllm_gateway.cache.shelf import Shelf
from vllm_gateway.cache.store import SharedStore
from vllm_gateway.clock import Clock
from vllm_gateway.settings.model import Cache, State
from vllm_gateway.state.extras import need

ONCE_TTL_S = 86_400.0
"""How long a request with an idempotency key is answered as it was the first time."""
ANSWERS_WAIT_S = 0.05
"""How long a request waits for an answer that may be in Redis; then it goes on as if there were none."""
ONCE_WAIT_S = 1.0
"""How long such a request waits for Redis: it is to be answered once rather than quickly."""
ONCE_MAX_BYTES = 64 * 1024 * 1024
"""What the answers to such requests may take in memory."""


class Shelves(NamedTuple):
    """Where answers are kept."""

    answers: Shelf | None
    """For everybody who asks the same; None: nothing is kept."""
    once: Shelf
    """For those who send the same request again, and say so."""

    async def close(self) -> None:
        """Let go of both."""
        await self.once.close()
        if self.answers is not None:
            await self.answers.close()


def open_shelves(
    cache: Cache, state: State, clock: Clock, *, once: SharedStore | None = None, processes: int = 1
) -> Shelves:
    """Return the places that the settings ask for; Redis is reached for when it is first used.

    `once` is the place that several processes of this machine share, if they do; what fits into memory they share out.

    Raises:
        MissingExtra: the client of Redis is not installed.
    """
    most = cache.max_answer_bytes
    if cache.backend == "redis":
        answers, once = _redis(state, b"answers", ANSWERS_WAIT_S), _redis(state, b"once", ONCE_WAIT_S)
        return Shelves(
            Shelf(answers, ttl_s=cache.ttl_s, max_answer_bytes=most),
            Shelf(once, ttl_s=ONCE_TTL_S, max_answer_bytes=most, claims=Claims(once)),
        )
    claims = None if once is None else Claims(once)
    named = MemoryStore(clock, max_bytes=ONCE_MAX_BYTES) if once is None else once
    kept = Shelf(named, ttl_s=ONCE_TTL_S, max_answer_bytes=most, claims=claims)
    if cache.backend == "none":
        return Shelves(None, kept)
    store = MemoryStore(clock, max_bytes=cache.max_bytes // processes)
    return Shelves(Shelf(store, ttl_s=cache.ttl_s, max_answer_bytes=most), kept)


def _redis(state: State, name: bytes, limit_s: float) -> SharedStore:
    if state.redis_url is None:
        raise ValueError("state.redis_url is not set, and cache.backend needs it")
    need("redis", "redis", "cache.backend: redis")
    from vllm_gateway.cache.redis import RedisStore  # noqa: PLC0415 - see the module

    return RedisStore(state.redis_url.get_secret_value(), name=name, limit_s=limit_s)
