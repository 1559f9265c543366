"""Memory has bounds."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.cache.memory import MemoryStore
from vllm_gateway.clock import HandClock


async def test_what_was_not_asked_for_goes_first() -> None:
    """Looking at an answer keeps it."""
    store = MemoryStore(HandClock(), max_bytes=1_500)
    await store.keep([(b"a", b"x" * 100), (b"b", b"x" * 100)], 60)
    assert await store.find([b"a"]) == [b"x" * 100]
    await store.keep([(b"c", b"x" * 100), (b"d", b"")], 60)
    assert await store.find([b"a", b"b", b"c", b"d"]) == [b"x" * 100, None, b"x" * 100, b""]
    await store.keep([(b"e", b"x" * 100)], 60)
    assert await store.find([b"a", b"c", b"d", b"e"]) == [None, b"x" * 100, b"", b"x" * 100]


async def test_what_is_too_old_takes_no_room() -> None:
    """It is dropped when it is looked at, and when room is needed."""
    clock = HandClock()
    store = MemoryStore(clock, max_bytes=1_000)
    await store.keep([(b"a", b"x")], 60)
    clock.move(60)
    assert await store.find([b"a"]) == [None]
    assert (len(store), store.size_bytes) == (0, 0)


async def test_what_does_not_fit_is_not_kept() -> None:
    """And pushes nothing out; what it was to take the place of is gone, for it is no longer true."""
    store = MemoryStore(HandClock(), max_bytes=1_000)
    await store.keep([(b"a", b"x"), (b"b", b"x")], 60)
    await store.keep([(b"a", b"x" * 1_000)], 60)
    assert await store.find([b"a", b"b"]) == [None, b"x"]


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 700)), max_size=30))
async def test_memory_is_bounded(entries: list[tuple[bytes, int]]) -> None:
    """Whatever is kept in whatever order, the sum is right and within the bound."""
    store = MemoryStore(HandClock(), max_bytes=2_000)
    for key, size in entries:
        await store.keep([(key, b"x" * size)], 60)
        assert store.size_bytes <= 2_000
    texts = [text for text in await store.find([b"a", b"b", b"c", b"d"]) if text is not None]
    assert len(texts) == len(store)
    assert store.size_bytes == sum(len(text) + 400 for text in texts)
    await store.close()
    assert (len(store), store.size_bytes) == (0, 0)
