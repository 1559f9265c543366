"""What every store of keys promises."""

import asyncio

import pytest

from tests.admission.keys.making import WALL, made
from tests.admission.keys.stores.conftest import Open
from tests.waiting import PATIENCE_S
from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.keys.store import NameAmbiguous, StoreUnusable
from vllm_gateway.callers import Priority
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import KeyRefused
from vllm_gateway.settings.admission import Auth


async def test_keys_come_back_as_they_were_added(open_store: Open) -> None:
    """In another gateway too, the oldest first, with all that they may."""
    store = open_store()
    assert await store.load() == []
    records = [
        made("ann", created=WALL)[1],
        made("böb 🦙", created=WALL + 1, expires=WALL + 9, models=("a", "b"), rpm=5, priority=Priority.BATCH)[1],
    ]
    for record in records:
        await store.add(record)
    assert await store.load() == records
    assert await open_store().load() == records


async def test_a_key_is_revoked_by_its_id_or_its_name(open_store: Open) -> None:
    """It stays and tells when; a second time changes nothing; what nobody has is none."""
    store = open_store()
    ann, bob = made("ann")[1], made("bob", created=WALL + 1)[1]
    await store.add(ann)
    await store.add(bob)
    for wanted, at in ((ann.id, WALL + 5.7), ("bob", WALL + 6)):
        revoked = await store.revoke(wanted, at)
        assert revoked is not None
        assert revoked.revoked == int(at)
    again = await store.revoke(ann.id, WALL + 99)
    assert again is not None
    assert again.revoked == WALL + 5
    assert await store.revoke("ann", WALL) is None
    assert await store.revoke("nobody", WALL) is None
    assert [record.revoked for record in await store.load()] == [WALL + 5, WALL + 6]


async def test_an_ambiguous_name_revokes_nobody(open_store: Open) -> None:
    """Both keys go on to hold."""
    store = open_store()
    for number in range(2):
        await store.add(made("ann", created=WALL + number)[1])
    with pytest.raises(NameAmbiguous, match="2 keys have the name 'ann'"):
        await store.revoke("ann", WALL)
    assert [record.revoked for record in await store.load()] == [None, None]


async def test_every_change_by_another_is_noticed(open_store: Open) -> None:
    """A key that was added, and one that was revoked; and nothing when nothing happened."""
    here, there = open_store(), open_store()
    await here.load()
    assert not await here.has_changed()
    record = made("ann")[1]
    await there.add(record)
    assert await here.has_changed()
    await here.load()
    assert not await here.has_changed()
    await there.revoke(record.id, WALL)
    assert await here.has_changed()
    await here.load()
    assert not await here.has_changed()
    await there.revoke(record.id, WALL)
    assert not await here.has_changed()


async def test_keys_added_at_once_are_all_there(open_store: Open) -> None:
    """Twenty through two stores at the same time, which make their place at the same time too."""
    stores = open_store(), open_store()
    records = [made(f"key {number}")[1] for number in range(20)]
    await asyncio.gather(*(stores[number % 2].add(record) for number, record in enumerate(records)))
    assert {record.id for record in await open_store().load()} == {record.id for record in records}


async def test_the_same_key_is_not_kept_twice(open_store: Open) -> None:
    """One of the two could be revoked and the other not."""
    store = open_store()
    record = made("ann")[1]
    await store.add(record)
    with pytest.raises(StoreUnusable):
        await store.add(record)
    assert await store.load() == [record]


async def test_a_key_revoked_through_another_gateway_is_refused_here(open_store: Open) -> None:
    """S-08: a key made elsewhere comes in without a restart, and revoked elsewhere it comes in no more."""
    there = open_store()
    keys = Keys(Auth(mode="keys"), store=open_store(), refresh_s=0.02)
    await keys.open()
    secret, record = made("ann", created=SystemClock().wall())
    headers = [(b"x-api-key", secret.encode())]
    try:
        await there.add(record)
        async with asyncio.timeout(PATIENCE_S):
            while not keys.is_known(secret):  # noqa: ASYNC110 - what is waited for tells nobody when it changes
                await asyncio.sleep(0.01)
        assert await keys.admit(headers, "192.0.2.1") == record.caller()
        await there.revoke(record.id, SystemClock().wall())
        async with asyncio.timeout(PATIENCE_S):
            while keys.is_known(secret):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        with pytest.raises(KeyRefused):
            await keys.admit(headers, "192.0.2.1")
    finally:
        await keys.close()
