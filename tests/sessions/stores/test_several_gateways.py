"""Stores that several gateways and many callers use at once, and gateways that die."""

import asyncio
import random
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

import pytest

from tests.house.files import ROOT
from tests.sessions.stores.places import NOW, Place, itself, session, turn
from tests.sessions.stores.worker import SESSION, say
from vllm_gateway.sessions.store import Store
from vllm_gateway.sessions.stores.redis import RedisStore
from vllm_gateway.sessions.stores.sql import SqlStore

TURNS = 1000


async def spoken(store: Store) -> list[str]:
    """Return all that was said in the session that all share."""
    return [message.fields["content"] for message in await store.messages(SESSION, start=0, limit=100_000)]


async def started(place: Place, name: str, turns: int) -> Process:
    """Start a process that has turns."""
    arguments = ("-m", "tests.sessions.stores.worker", place.backend, place.address, name, str(turns))
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=PIPE)


def acknowledged(output: bytes) -> list[tuple[int, str]]:
    """Return the places and texts that a process has printed."""
    lines = [line.split(" ", 1) for line in output.decode().splitlines(keepends=True) if line.endswith("\n")]
    return [(int(place), text.rstrip("\n")) for place, text in lines]


def assert_all_there(texts: Sequence[str], acknowledged: Sequence[tuple[int, str]]) -> None:
    """Check that what was acknowledged stands at its place, once."""
    assert [(place, texts[place]) for place, _ in acknowledged] == list(acknowledged)
    assert len(set(texts)) == len(texts)


async def test_no_turn_is_lost_between_many_callers(place: Place) -> None:
    """D-08: of two gateways, on one session: every acknowledged turn is there once, and in its place."""
    stores = place.open(), place.open()
    await stores[0].create(session(SESSION))
    said_by = [[f"{caller}-{number}" for number in range(5)] for caller in range(8)]

    async def talk(caller: int) -> list[tuple[int, str]]:
        return [(await say(stores[caller % 2], text), text) for text in said_by[caller]]

    talks = await asyncio.gather(*(talk(caller) for caller in range(8)))
    texts = await spoken(stores[0])
    assert_all_there(texts, [one for talk in talks for one in talk])
    for own in said_by:
        assert [text for text in texts if text in own] == own
    assert len(texts) == 40


async def test_no_turn_is_lost_between_processes(lasting_place: Place) -> None:
    """Which also make the place together, where there was none."""
    names = ("a", "b")
    store = lasting_place.open()
    await store.create(session(SESSION))
    processes = [await started(lasting_place, name, 25) for name in names]
    outputs = [(await process.communicate())[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    texts = await spoken(store)
    assert_all_there(texts, [one for output in outputs for one in acknowledged(output)])
    assert len(texts) == 50


async def test_stores_that_are_opened_at_once_make_one_place(lasting_place: Place) -> None:
    """However many gateways start together for the first time."""
    stores = [lasting_place.open() for _ in range(8)]
    await asyncio.gather(*(store.create(session(f"s{number}")) for number, store in enumerate(stores)))
    found = await asyncio.gather(*(store.page("alice", NOW, limit=99) for store in stores))
    assert [len(each) for each in found] == [8] * 8


@pytest.mark.parametrize("seed", range(3))
async def test_a_killed_gateway_loses_nothing_it_has_acknowledged(lasting_place: Place, seed: int) -> None:
    """D-09: killed at any moment of a thousand turns: all that it has told are there, and at most one more."""
    store = lasting_place.open()
    await store.create(session(SESSION))
    process = await started(lasting_place, "only", TURNS)
    assert process.stdout is not None
    chance = random.Random(seed)  # noqa: S311 - a test's own
    output = b"".join([await process.stdout.readline() for _ in range(chance.randint(1, 80))])
    await asyncio.sleep(chance.random() * 0.02)
    process.kill()
    output += await process.stdout.read()
    await process.wait()
    told = acknowledged(output)
    texts = await spoken(store)
    assert_all_there(texts, told)
    assert len(told) <= len(texts) <= len(told) + 1 < TURNS
    after = await store.find(SESSION, NOW)
    assert after is not None
    assert after.turns == after.messages == len(texts)
    if lasting_place.backend == "sqlite":
        assert sqlite3.connect(lasting_place.address).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def all_ended(store: Store) -> None:
    """Wait for what goes on although nobody waits for it."""
    store = await itself(store)
    if isinstance(store, SqlStore | RedisStore) and store._outage._running:
        await asyncio.wait(store._outage._running)


async def test_callers_who_leave_disturb_nobody(place: Place) -> None:
    """At whatever stage they leave, no answer reaches another caller; no turn is kept in part."""
    store = place.open()
    names = [f"s{number}" for number in range(12)]
    for name in names:
        await store.create(session(name))
    chance = random.Random(7)  # noqa: S311 - a test's own
    acknowledged = dict.fromkeys(names, 0)

    async def talk(name: str, number: int) -> None:
        found = await store.find(name, NOW)
        assert found is not None
        assert found.id == name
        await store.begin(name, f"{name}-{number}", NOW + number * 40, lease_s=30)
        after = await store.finish(name, f"{name}-{number}", turn(name, f"{number}", at=NOW + number * 40))
        assert after is not None
        assert after.id == name
        acknowledged[name] += 1

    for number in range(8):
        talks = [asyncio.ensure_future(talk(name, number)) for name in names]  # noqa: TID251 - a test's own
        for stage, each in enumerate(talks):
            if stage % 3:
                asyncio.get_running_loop().call_later(chance.random() * 0.02, each.cancel)
        results = await asyncio.gather(*talks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results), results

    await all_ended(store)
    assert sum(acknowledged.values()) >= 8 * 4
    for name, least in acknowledged.items():
        after = await store.find(name, NOW)
        assert after is not None
        texts = [message.fields["content"] for message in await store.messages(name, start=0, limit=99)]
        assert len(texts) == after.messages == 2 * after.turns >= 2 * least
        assert set(texts[::2]) <= {name}
    found = await asyncio.gather(*(store.find(name, NOW) for name in names * 8))
    assert [each.id for each in found if each] == names * 8
