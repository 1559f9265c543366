"""The keys of a store, held ready."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.admission.keys.making import WALL, ListStore, made
from tests.waiting import PATIENCE_S
from vllm_gateway.admission.keys.kept import MAX_STALE_S, KeptKeys
from vllm_gateway.admission.keys.record import KeyRecord
from vllm_gateway.clock import HandClock
from vllm_gateway.errors import KeysUnchecked

REFRESH_S = 0.005
ANN, BOB = made("ann")[1], made("bob")[1]


@asynccontextmanager
async def _kept(store: ListStore, clock: HandClock | None = None) -> AsyncIterator[KeptKeys]:
    kept = KeptKeys(store, clock or HandClock(), refresh_s=REFRESH_S)
    await kept.open()
    try:
        yield kept
    finally:
        await kept.close()


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - what is waited for tells nobody when it changes
            await asyncio.sleep(REFRESH_S)


def _has(kept: KeptKeys, record: KeyRecord) -> bool:
    return kept.find(bytes.fromhex(record.digest)) == record.caller()


def _is_unchecked(kept: KeptKeys, record: KeyRecord) -> bool:
    try:
        kept.find(bytes.fromhex(record.digest))
    except KeysUnchecked:
        return True
    return False


async def test_keys_of_the_store_are_known_and_others_are_not() -> None:
    """By their digests."""
    async with _kept(ListStore([ANN])) as kept:
        assert _has(kept, ANN)
        assert kept.find(bytes.fromhex(BOB.digest)) is None


async def test_what_is_added_or_revoked_holds_soon() -> None:
    """S-08: the store is looked at again and again; nobody has to restart anything."""
    store = ListStore([ANN])
    async with _kept(store) as kept:
        await store.add(BOB)
        await _until(lambda: _has(kept, BOB))
        await store.revoke(ANN.id, WALL)
        await _until(lambda: kept.find(bytes.fromhex(ANN.digest)) is None)
        assert _has(kept, BOB)


async def test_a_store_that_has_not_changed_is_not_read_again() -> None:
    """Looking costs little; reading all keys may not."""
    store = ListStore([ANN])
    async with _kept(store) as kept:
        await _until(lambda: store.looks >= 5)
        assert _has(kept, ANN)
    assert store.loads == 1


async def test_a_refresh_holds_at_once() -> None:
    """Who changes a key here does not wait for the next look."""
    store = ListStore()
    kept = KeptKeys(store, HandClock())
    await kept.refresh()
    await store.add(ANN)
    await kept.refresh()
    assert _has(kept, ANN)


async def test_an_expired_key_is_refused_at_its_second_and_then_forgotten() -> None:
    """Between two looks too; afterwards it is looked up in vain, as one that never was."""
    clock = HandClock(wall=WALL)
    short = made("short", expires=WALL + 10)[1]
    store = ListStore([short, ANN])
    kept = KeptKeys(store, clock)
    await kept.refresh()
    clock.move(9.9)
    assert _has(kept, short)
    clock.move(0.1)
    assert kept.find(bytes.fromhex(short.digest)) is None
    await kept.refresh()
    assert bytes.fromhex(short.digest) not in kept._entries
    assert _has(kept, ANN)


async def test_an_expired_key_is_forgotten_when_nothing_else_changes() -> None:
    """Its end is no change of the store."""
    clock = HandClock(wall=WALL)
    short = made("short", expires=WALL + 10)[1]
    async with _kept(ListStore([short]), clock) as kept:
        assert _has(kept, short)
        clock.move(11)
        await _until(lambda: not kept._entries)


async def test_a_store_that_is_out_of_order_at_the_start_lets_nobody_in_until_it_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every key gets a 503, right or wrong; the log says why, once, and says when it is over."""
    store = ListStore([ANN], is_broken=True)
    async with _kept(store) as kept:
        await _until(lambda: store.loads >= 3)
        assert _is_unchecked(kept, ANN)
        assert _is_unchecked(kept, BOB)
        store.is_broken = False
        await _until(lambda: not _is_unchecked(kept, ANN))
        assert _has(kept, ANN)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "the client keys cannot be read: It is broken."),
        (logging.WARNING, "the client keys can be read again"),
    ]


async def test_a_defect_of_a_store_does_not_end_the_looking(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged whole, and what changes afterwards is seen."""
    store = ListStore([ANN])
    async with _kept(store) as kept:
        with monkeypatch.context() as broken:
            broken.setattr(ListStore, "has_changed", lambda _: 1 / 0)
            await _until(lambda: bool(caplog.records))
        await store.add(BOB)
        await _until(lambda: _has(kept, BOB))
    assert caplog.records[0].exc_info is not None


async def test_keys_go_on_to_hold_for_a_minute_without_the_store() -> None:
    """A short outage is not noticed by callers; after a long one nobody knows who was revoked meanwhile."""
    clock = HandClock()
    store = ListStore([ANN])
    async with _kept(store, clock) as kept:
        store.is_broken = True
        looks = store.looks
        await _until(lambda: store.looks > looks)
        clock.move(MAX_STALE_S)
        assert _has(kept, ANN)
        clock.move(0.1)
        assert _is_unchecked(kept, ANN)
        assert _is_unchecked(kept, BOB)
        store.is_broken = False
        await _until(lambda: not _is_unchecked(kept, ANN))
        assert _has(kept, ANN)


async def test_keys_are_known_by_name_and_faults_by_number() -> None:
    """For those who count; a key that is revoked has no name any more."""
    store = ListStore([ANN, BOB])
    async with _kept(store) as kept:
        assert kept.names == {each.caller().id: each.name for each in (ANN, BOB)}
        await store.revoke(BOB.id, WALL)
        await _until(lambda: list(kept.names.values()) == [ANN.name])
        store.is_broken = True
        await _until(lambda: kept.faults >= 2)
