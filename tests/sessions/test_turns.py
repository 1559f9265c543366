"""Turns of a session, one after the other."""

import asyncio
import contextlib

import pytest
from typing_extensions import override

from tests.sessions.stores.places import session, turn
from tests.waiting import until
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import SessionBusy, SessionUnknown, StoreFailed
from vllm_gateway.sessions import turns as turns_module
from vllm_gateway.sessions.model import Begun, Session, Turn
from vllm_gateway.sessions.store import Permit, SessionTaken
from vllm_gateway.sessions.stores.memory import MemoryStore
from vllm_gateway.sessions.turns import Turns

CLOCK = SystemClock()


def anybody(_: Session) -> bool:
    """Let everybody in."""
    return True


async def kept(store: MemoryStore | None = None) -> MemoryStore:
    """Return a store with the session `s`."""
    store = store or MemoryStore()
    await store.create(session(created=CLOCK.wall(), used=CLOCK.wall()))
    return store


async def say(turns: Turns, word: str, *, held_s: float = 0.0) -> None:
    """Take a turn that says a word."""
    async with turns.begin("s", anybody) as held:
        await asyncio.sleep(held_s)
        await held.finish(turn(word, at=CLOCK.wall()))


async def words(store: MemoryStore) -> list[str]:
    """Return what was said."""
    return [message.fields["content"] for message in await store.messages("s", start=0, limit=100)]


async def is_free(store: MemoryStore) -> bool:
    """Say whether a turn could be begun now; if so, it is given up again."""
    try:
        await store.begin("s", "probe", CLOCK.wall(), lease_s=1)
    except SessionTaken:
        return False
    await store.abandon("s", "probe")
    return True


async def test_turns_pass_in_the_order_in_which_they_came() -> None:
    """However long each takes."""
    store = await kept()
    turns = Turns(store, wait_s=5, clock=CLOCK)
    await asyncio.gather(*(say(turns, str(number), held_s=0.01 * (number % 3)) for number in range(12)))
    assert await words(store) == [str(number) for number in range(12)]
    assert turns._locks == {}
    await turns.close()


async def test_a_turn_sees_what_was_said_before() -> None:
    """And the session as it is."""
    store = await kept()
    turns = Turns(store, wait_s=5, clock=CLOCK)
    await say(turns, "first")
    async with turns.begin("s", anybody) as held:
        assert [message.fields["content"] for message in held.begun.window] == ["first"]
        assert held.begun.session.turns == 1
    await turns.close()


async def test_a_turn_that_does_not_finish_leaves_no_trace() -> None:
    """Whether it ends quietly, with an error, or is cancelled."""
    store = await kept()
    turns = Turns(store, wait_s=5, clock=CLOCK)
    async with turns.begin("s", anybody):
        pass
    with pytest.raises(ZeroDivisionError):
        async with turns.begin("s", anybody):
            raise ZeroDivisionError
    cancelled = asyncio.get_running_loop().create_task(say(turns, "never", held_s=10))
    await asyncio.sleep(0.01)
    cancelled.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await cancelled
    assert await is_free(store)
    assert await words(store) == []
    assert not turns._locks
    assert not turns._leases
    await turns.close()


async def test_a_turn_does_not_wait_for_ever() -> None:
    """After its bound it is told that the session is busy; the one before it is not disturbed."""
    store = await kept()
    turns = Turns(store, wait_s=0.05, clock=CLOCK)
    first = asyncio.get_running_loop().create_task(say(turns, "first", held_s=0.3))
    await asyncio.sleep(0.01)
    with pytest.raises(SessionBusy) as refusal:
        await say(turns, "second")
    assert refusal.value.status == 409
    await first
    assert await words(store) == ["first"]
    await turns.close()


async def test_another_gateways_turn_is_waited_for_too() -> None:
    """And not for ever either."""
    store = await kept()
    here, there = (Turns(store, wait_s=wait_s, clock=CLOCK) for wait_s in (5, 0.05))
    first = asyncio.get_running_loop().create_task(say(here, "first", held_s=0.2))
    await asyncio.sleep(0.01)
    with pytest.raises(SessionBusy):
        await say(there, "too soon")
    await asyncio.gather(first, say(Turns(store, wait_s=5, clock=CLOCK), "second"))
    assert await words(store) == ["first", "second"]
    await here.close()
    await there.close()


async def test_a_waiting_turn_that_is_cancelled_is_skipped() -> None:
    """Those behind it go on."""
    store = await kept()
    turns = Turns(store, wait_s=5, clock=CLOCK)
    loop = asyncio.get_running_loop()
    running = [loop.create_task(say(turns, word, held_s=0.05)) for word in ("a", "b", "c")]
    await asyncio.sleep(0.01)
    running[1].cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert await words(store) == ["a", "c"]
    await turns.close()


class Slow(MemoryStore):
    """A store whose turns begin after a while, whoever is still there to hear of it."""

    @override
    async def begin(self, session_id: str, holder: str, now: float, *, lease_s: float) -> Begun | None:
        begun = await super().begin(session_id, holder, now, lease_s=lease_s)
        await asyncio.sleep(0.05)
        return begun


async def test_a_turn_that_is_cancelled_while_it_begins_holds_nothing() -> None:
    """The store had begun it already."""
    store = await kept(Slow())
    turns = Turns(store, wait_s=5, clock=CLOCK)
    cancelled = asyncio.get_running_loop().create_task(say(turns, "never"))
    await asyncio.sleep(0.01)
    cancelled.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await cancelled
    await turns.close()
    assert await is_free(store)


@pytest.mark.parametrize("may", [True, False])
async def test_a_session_that_is_not_the_callers_is_unknown(*, may: bool) -> None:
    """Whether it is another's, was never begun, or is busy: the sentence is the same, and comes at once."""
    store = await kept()
    turns = Turns(store, wait_s=5, clock=CLOCK)
    first = asyncio.get_running_loop().create_task(say(turns, "first", held_s=0.2))
    await asyncio.sleep(0.01)
    with pytest.raises(SessionUnknown):
        async with turns.begin("s" if not may else "none", lambda _: may):
            pass
    assert not first.done()
    await first
    if not may:
        with pytest.raises(SessionUnknown):
            async with turns.begin("s", lambda _: False):
                pass
        assert await is_free(store)
    await turns.close()


async def test_a_session_that_is_stopped_meanwhile_keeps_nothing() -> None:
    """The turn is told so."""
    store = await kept()
    turns = Turns(store, wait_s=5, clock=CLOCK)
    async with turns.begin("s", anybody) as held:
        await store.delete("s", CLOCK.wall())
        with pytest.raises(SessionUnknown, match="stopped"):
            await held.finish(turn("late", at=CLOCK.wall()))
    await turns.close()


async def test_the_lease_of_a_long_turn_is_prolonged(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as its gateway lives, nobody takes its place."""
    monkeypatch.setattr(turns_module, "LEASE_S", 0.1)
    monkeypatch.setattr(turns_module, "_RENEW_S", 0.02)
    store = await kept()
    turns = Turns(store, wait_s=5, clock=CLOCK)
    async with turns.begin("s", anybody) as held:
        await asyncio.sleep(0.25)
        assert not await is_free(store)
        await held.finish(turn("long", at=CLOCK.wall()))
    await turns.close()
    assert await words(store) == ["long"]


class Broken(MemoryStore):
    """A store that is away when a turn is to be kept."""

    @override
    async def finish(self, session_id: str, holder: str, turn: Turn, permit: Permit | None = None) -> Session | None:
        raise StoreFailed("away")


async def test_a_turn_that_cannot_be_kept_frees_its_session(caplog: pytest.LogCaptureFixture) -> None:
    """The failure is its caller's to hear, and makes no noise in the log here."""
    store = await kept(Broken())
    turns = Turns(store, wait_s=5, clock=CLOCK)
    with pytest.raises(StoreFailed):
        await say(turns, "lost")
    assert await is_free(store)
    await turns.close()
    assert caplog.records == []


async def test_waiting_for_another_gateway_makes_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    """It is no failure."""
    store = await kept()
    turns = Turns(store, wait_s=5, clock=CLOCK)
    await store.begin("s", "other", CLOCK.wall(), lease_s=10)
    waiting = asyncio.get_running_loop().create_task(say(turns, "second"))
    await asyncio.sleep(0.12)
    await store.abandon("s", "other")
    await waiting
    await until(lambda: not turns._locks)
    await turns.close()
    assert caplog.records == []
