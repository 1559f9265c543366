"""Conversations in memory: what the contract of all stores leaves open."""

import time

import pytest

from tests.sessions.stores.places import NOW, TTL_S, session, turn
from tests.sessions.stores.test_contract import response
from vllm_gateway.errors import StoreFailed
from vllm_gateway.sessions.stores.memory import MemoryStore

TURNS = 2_000
MOST_TURN_S = 100e-6
"""Many times of what a turn takes, so that a slow machine passes and a copy of everything does not."""


async def test_memory_is_bounded() -> None:
    """A session or response too many is refused with a sentence that says what to do; the others go on."""
    store = MemoryStore(max_sessions=2, max_responses=1)
    await store.create(session("a"))
    await store.create(session("b"))
    with pytest.raises(StoreFailed, match=r"at most 2 sessions in memory\. Delete some"):
        await store.create(session("c"))
    await store.keep(response("r1"))
    with pytest.raises(StoreFailed, match=r"at most 1 responses in memory"):
        await store.keep(response("r2"))
    assert await store.delete("a", NOW)
    await store.create(session("c"))
    assert [each.id for each in await store.page("alice", NOW, limit=9)] == ["b", "c"]


async def test_a_sweep_makes_room() -> None:
    """Nothing stays of what has expired, responses included, and it does not matter how much that is."""
    store = MemoryStore()
    for number in range(2_500):
        await store.create(session(f"s{number}"))
        await store.keep(response(f"r{number}"))
    assert await store.sweep(NOW + TTL_S) == 2_500
    assert not store._sessions
    assert not store._responses
    assert not store._places


async def test_a_turn_costs_microseconds() -> None:
    """Also the last one of a long conversation of which models see the end."""
    took_s = []
    for _ in range(5):
        store = MemoryStore()
        await store.create(session())
        started = time.process_time()
        for number in range(TURNS):
            await store.begin("s", "h", NOW, lease_s=30)
            await store.finish("s", "h", turn("a", "b", first_kept=max(0, 2 * number - 20)))
        took_s.append(time.process_time() - started)
    assert min(took_s) / TURNS < MOST_TURN_S
