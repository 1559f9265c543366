"""Which stores the settings ask for."""

import pytest
from pydantic import SecretStr

from vllm_gateway.cache.choose import Shelves, open_shelves
from vllm_gateway.cache.kept import Kept
from vllm_gateway.cache.memory import MemoryStore
from vllm_gateway.clock import HandClock
from vllm_gateway.settings.model import Cache, State


async def test_nothing_is_kept_by_itself() -> None:
    """But a request that has a name is answered once."""
    shelves = open_shelves(Cache(), State(), HandClock())
    assert shelves.answers is None
    await shelves.once.keep(b"k", Kept(b"x", 1.0))
    assert await shelves.once.find(b"k") is not None


async def test_memory_keeps_apart_what_was_asked_apart() -> None:
    """Within the sizes and times of the settings; a name lasts for a day."""
    clock = HandClock()
    answers, once = open_shelves(Cache(backend="memory", ttl_s=5, max_answer_bytes=10), State(), clock)
    assert answers is not None
    await answers.keep(b"k", Kept(b"x" * 10, 1.0))
    await answers.keep(b"l", Kept(b"x" * 11, 1.0))
    await once.keep(b"m", Kept(b"x", 1.0))
    assert await answers.find_all([b"k", b"l", b"m"]) == [Kept(b"x" * 10, 1.0), None, None]
    clock.move(86_399)
    assert await answers.find(b"k") is None
    assert await once.find(b"m") is not None
    await Shelves(answers, once).close()
    assert await once.find(b"m") is None


async def test_several_processes_share_out_what_fits_into_memory() -> None:
    """And what has a name lies in the place that they have in common."""
    clock = HandClock()
    cache, shared = Cache(backend="memory", max_bytes=2_000), MemoryStore(clock, max_bytes=10_000)
    answers, once = open_shelves(cache, State(), clock, once=shared, processes=2)
    assert answers is not None
    await answers.keep_all([(b"a", Kept(b"x" * 500, 1.0)), (b"b", Kept(b"x" * 500, 1.0))])
    assert [kept is None for kept in await answers.find_all([b"a", b"b"])] == [True, False]
    await once.keep(b"k", Kept(b"x", 1.0))
    assert len(shared) == 1
    assert once.claims is not None
    await Shelves(answers, once).close()


@pytest.mark.servers
async def test_redis_is_shared(empty_redis: str) -> None:
    """What one gateway keeps another one finds."""
    cache, state = Cache(backend="redis"), State(redis_url=SecretStr(empty_redis))
    one, other = (open_shelves(cache, state, HandClock()) for _ in range(2))
    for shelves in (one, other):
        assert shelves.answers is not None
        while await shelves.answers.find(b"k") is None:
            await shelves.answers.keep(b"k", Kept(b"x", 1.0))
        await shelves.close()


def test_redis_needs_an_address() -> None:
    """The settings say so themselves; nobody gets here without one."""
    with pytest.raises(ValueError, match="redis_url"):
        open_shelves(Cache(backend="redis"), State(), HandClock())
