"""A store with its bounds."""

from dataclasses import replace

from vllm_gateway.cache.kept import Kept
from vllm_gateway.cache.memory import MemoryStore
from vllm_gateway.cache.shelf import Shelf
from vllm_gateway.clock import HandClock


def shelf(clock: HandClock) -> Shelf:
    """Return a shelf for small answers."""
    return Shelf(MemoryStore(clock, max_bytes=100_000), ttl_s=10, max_answer_bytes=100)


async def test_an_answer_comes_back_until_it_is_too_old() -> None:
    """With its fingerprint."""
    clock = HandClock()
    kept, one = Kept(b"body", 5.0, is_stream=True), shelf(clock)
    await one.keep(b"k", kept, b"print")
    assert await one.find(b"k") == replace(kept, fingerprint=b"print")
    clock.move(10)
    assert await one.find(b"k") is None


async def test_what_is_too_large_is_not_kept() -> None:
    """Alone or among others."""
    one = shelf(HandClock())
    small, large = Kept(b"x" * 100, 1.0), Kept(b"x" * 101, 1.0)
    await one.keep(b"a", large)
    await one.keep_all([(b"b", small), (b"c", large)])
    await one.keep_all([(b"d", large)])
    assert await one.find_all([b"a", b"b", b"c", b"d"]) == [None, small, None, None]
    await one.close()
    assert await one.find(b"b") is None


def test_memory_is_never_away() -> None:
    """It is where the gateway is."""
    assert not shelf(HandClock()).is_away
