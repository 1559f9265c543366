"""Which of several processes answers."""

import pytest
from typing_extensions import override

from tests.waiting import until
from vllm_gateway.cache.claims import Claims
from vllm_gateway.cache.memory import MemoryStore
from vllm_gateway.clock import HandClock
from vllm_gateway.errors import IdempotencyConflict

KEY = b"k" * 32
PRINT, OTHER = b"p" * 32, b"q" * 32


async def test_one_has_it_and_the_others_do_not() -> None:
    """Until it is released; then whoever asks next has it."""
    store = MemoryStore(HandClock(), max_bytes=1)
    one, other = Claims(store), Claims(store)
    claim = await one.take(KEY, PRINT)
    assert claim is not None
    assert [await each.take(KEY, PRINT) for each in (one, other)] == [None, None]
    claim.release()
    await one.close()
    assert await other.take(KEY, PRINT) is not None
    await other.close()


async def test_another_request_under_the_same_key_is_a_conflict() -> None:
    """Whoever has it is not disturbed."""
    claims = Claims(MemoryStore(HandClock(), max_bytes=1))
    assert await claims.take(KEY, PRINT) is not None
    with pytest.raises(IdempotencyConflict):
        await claims.take(KEY, OTHER)
    assert await claims.take(KEY, PRINT) is None
    await claims.close()


class Counted(MemoryStore):
    """Counts the claims that are put to it."""

    puts = 0

    @override
    async def claim(self, key: bytes, claim: bytes, ttl_s: float) -> bytes:
        self.puts += 1
        return await super().claim(key, claim, ttl_s)


async def test_a_claim_is_renewed_while_it_is_held() -> None:
    """Several times in a lease, and not any more when it was released."""
    store = Counted(HandClock(), max_bytes=1)
    claims = Claims(store, lease_s=0.03)
    claim = await claims.take(KEY, PRINT)
    assert claim is not None
    await until(lambda: store.puts > 3, within_s=10)
    claim.release()
    await until(lambda: len(claims._renewals) == 0)
    await claims.close()
    puts = store.puts
    assert await claims.take(KEY, OTHER) is not None
    assert store.puts == puts + 1
    await claims.close()
