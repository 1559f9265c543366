"""A store that is made when it is needed first; `test_contract.py` holds it to what a store promises."""

import asyncio
from pathlib import Path

import pytest

from tests.sessions.stores.places import NOW, opened, session
from vllm_gateway.sessions.store import Store, StoreFailed
from vllm_gateway.sessions.stores.later import LaterStore
from vllm_gateway.sessions.stores.memory import MemoryStore


async def test_it_is_made_once() -> None:
    """However many ask for it at the same moment; all of them meet the same one."""
    made: list[Store] = []

    def make() -> Store:
        made.append(MemoryStore())
        return made[-1]

    store = LaterStore(make, has_content=lambda: True)
    assert (made, store.is_away, store.faults) == ([], False, 0)
    await asyncio.gather(*(store.create(session(f"s{number}")) for number in range(5)))
    assert len(made) == 1
    assert len(await made[0].page("alice", NOW, limit=10)) == 5
    await store.close()


async def test_where_nothing_is_kept_nothing_is_swept(tmp_path: Path) -> None:
    """Nor is anything made for it; what an earlier process has left is swept."""
    path = tmp_path / "folder" / "sessions.sqlite"
    store = opened("sqlite", str(path))
    assert isinstance(store, LaterStore)
    assert await store.sweep(NOW) == 0
    assert store._store is None
    assert not path.exists()
    earlier = opened("sqlite", str(path))
    await earlier.create(session())
    await earlier.close()
    assert await store.sweep(NOW + 1e6) == 1
    await store.close()


async def test_a_place_that_is_away_is_told(tmp_path: Path) -> None:
    """As by the store itself, and it counts the same faults; the first sweep tells, before a caller has to."""
    (tmp_path / "file").write_text("no folder")
    store = opened("sqlite", str(tmp_path / "file" / "folder" / "sessions.sqlite"))
    with pytest.raises(StoreFailed):
        await store.sweep(NOW)
    assert (store.is_away, store.faults) == (True, 1)
    with pytest.raises(StoreFailed):
        await store.create(session())
    await store.close()
