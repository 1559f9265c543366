"""Stores whose place is away, and comes back."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from tests.sessions.stores.conftest import SHARED
from tests.sessions.stores.places import NOW, Place, opened, session
from tests.sessions.stores.way import Way, way_to
from vllm_gateway.errors import StoreFailed
from vllm_gateway.sessions.store import Permit, SessionTaken
from vllm_gateway.sessions.stores.outage import SENTENCE, Outage
from vllm_gateway.sessions.stores.redis import RedisStore
from vllm_gateway.sessions.stores.sql import SqlStore

LIMIT_S = 0.3
PATIENCE_S = 30.0
"""Twenty new connections at once take a busy machine longer than a server may be silent here."""
PARTING_S = 4.0
FarStore = SqlStore | RedisStore
"""More than a driver takes to let go of a connection on which nothing moves."""


class DriverFault(Exception):
    """What a driver raises."""


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged."""
    return [record.getMessage() for record in caplog.records]


async def work(fault: BaseException | None = None) -> str:
    """Do an operation that raises `fault`, or nothing."""
    await asyncio.sleep(0)
    if fault is not None:
        raise fault
    return "done"


async def test_callers_are_told_nothing_of_the_place() -> None:
    """Whatever the driver says, the sentence is the same, and says when to try again."""
    outage = Outage("redis", (DriverFault,), limit_s=1)
    for fault in (DriverFault("db.internal:6379 /var/x SELECT"), OSError(111, "refused"), TimeoutError()):
        with pytest.raises(StoreFailed) as failed:
            await outage.run(work(fault))
        assert str(failed.value) == SENTENCE
        assert failed.value.retry_after_s == 5
    assert outage.faults == 3


async def test_an_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """With its reason and without what was being kept; so is its end."""
    caplog.set_level(logging.INFO)
    outage = Outage("redis", (DriverFault,), limit_s=1)
    for _ in range(3):
        with pytest.raises(StoreFailed):
            await outage.run(work(DriverFault("refused\nDETAIL: sess_secret")))
    assert outage.is_on
    await outage.run(work())
    assert not outage.is_on
    await outage.run(work())
    with pytest.raises(StoreFailed):
        await outage.run(work(DriverFault()))
    assert lines(caplog) == [
        "the redis store of conversations does not work: DriverFault: refused",
        "the redis store of conversations works again",
        "the redis store of conversations does not work: DriverFault",
    ]


async def test_a_session_that_is_taken_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """The store works."""
    outage = Outage("redis", (DriverFault,), limit_s=1)
    with pytest.raises(SessionTaken):
        await outage.run(work(SessionTaken()))
    assert await outage.run(work()) == "done"
    assert lines(caplog) == []


async def test_a_defect_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """It is told as what it is."""
    with pytest.raises(KeyError):
        await Outage("redis", (DriverFault,), limit_s=1).run(work(KeyError("x")))
    assert not any("of conversations" in line for line in lines(caplog))


async def test_an_operation_outlives_the_patience_of_its_caller() -> None:
    """The caller is told that it failed; nothing is broken off half way."""
    outage = Outage("redis", (), limit_s=0.01)
    ended = asyncio.Event()

    async def slow() -> None:
        await asyncio.sleep(0.03)
        ended.set()

    with pytest.raises(StoreFailed):
        await outage.run(slow())
    assert not ended.is_set()
    await asyncio.wait_for(ended.wait(), PATIENCE_S)


async def test_an_operation_outlives_its_caller() -> None:
    """And closing waits for it."""
    outage = Outage("redis", (), limit_s=1)
    ended = asyncio.Event()

    async def slow() -> None:
        await asyncio.sleep(0.02)
        ended.set()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outage.run(slow()), 0.001)
    await outage.close()
    assert ended.is_set()


async def test_a_write_that_takes_too_long_is_not_kept_later() -> None:
    """Its caller was told that it failed, so the permit is gone when the store comes to it."""
    outage = Outage("redis", (), limit_s=0.01)
    permit = Permit()

    async def slow() -> bool:
        await asyncio.sleep(0.03)
        return permit.use()

    with pytest.raises(StoreFailed):
        await outage.run(slow(), permit)
    assert not permit.use()
    await outage.close()


async def test_a_write_that_is_being_committed_is_waited_for() -> None:
    """What the store makes of it is what its caller is told."""
    outage = Outage("redis", (DriverFault,), limit_s=0.05)

    async def slow(permit: Permit, fault: BaseException | None) -> str:
        assert permit.use()
        await asyncio.sleep(0.07)
        return await work(fault)

    permit = Permit()
    assert await outage.run(slow(permit, None), permit) == "done"
    permit = Permit()
    with pytest.raises(StoreFailed):
        await outage.run(slow(permit, DriverFault()), permit)
    await outage.close()


@pytest.fixture(params=SHARED)
def shared_place(request: pytest.FixtureRequest) -> Place:
    """Give a place on a server."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
async def way(shared_place: Place) -> AsyncIterator[Way]:
    """Give the way to that server."""
    async with way_to(shared_place.address) as way:
        yield way


@pytest.fixture
async def far_store(shared_place: Place, way: Way) -> AsyncIterator[FarStore]:
    """Give a store on that server, by that way, which is quick to give up."""
    store = opened(shared_place.backend, way.url)
    assert isinstance(store, SqlStore | RedisStore)
    await store.create(session())
    store._outage._limit_s = LIMIT_S
    yield store
    await store.close()


async def test_a_server_that_is_away_is_a_failed_store(
    far_store: FarStore, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """As long as it is away; then everything is as before."""
    await way.close()
    for _ in range(3):
        with pytest.raises(StoreFailed, match=SENTENCE):
            await far_store.find("s", NOW)
    await way.open()
    far_store._outage._limit_s = PATIENCE_S
    assert await far_store.find("s", NOW) == session()
    assert len([line for line in lines(caplog) if "of conversations" in line]) == 2


async def test_a_server_that_was_started_anew_disturbs_nobody(far_store: FarStore, way: Way) -> None:
    """Connections that it has cut are not used again, however many they were."""
    await asyncio.gather(*(far_store.find("s", NOW) for _ in range(20)))
    way.cut()
    await asyncio.sleep(0.02)
    far_store._outage._limit_s = PATIENCE_S
    assert await asyncio.gather(*(far_store.find("s", NOW) for _ in range(20))) == [session()] * 20


async def test_a_server_that_hangs_holds_up_nobody(far_store: FarStore, way: Way) -> None:
    """Its late answers reach nobody else when it goes on."""
    await far_store.create(session("other"))
    way.hold()
    loop = asyncio.get_running_loop()
    started = loop.time()
    waiting = [far_store.find("other", NOW) for _ in range(5)]
    assert [type(each) for each in await asyncio.gather(*waiting, return_exceptions=True)] == [StoreFailed] * 5
    assert loop.time() - started < LIMIT_S + PARTING_S
    far_store._outage._limit_s = PATIENCE_S
    way.release()
    assert await asyncio.gather(*(far_store.find("s", NOW) for _ in range(20))) == [session()] * 20


async def test_a_server_that_was_never_there_is_a_failed_store(shared_place: Place) -> None:
    """The gateway starts without it, and finds it when it comes."""
    async with way_to(shared_place.address) as way:
        await way.close()
        store = opened(shared_place.backend, way.url)
        with pytest.raises(StoreFailed, match=SENTENCE):
            await store.create(session())
        await way.open()
        await store.create(session())
        assert await store.find("s", NOW) == session()
        await store.close()
