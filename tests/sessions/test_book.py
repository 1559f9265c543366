"""Sessions as their owners see them."""

import pytest
from typing_extensions import override

from tests.sessions.stores.places import turn
from tests.waiting import until
from vllm_gateway.clock import HandClock
from vllm_gateway.errors import SessionUnknown, StoreFailed
from vllm_gateway.sessions import book as book_module
from vllm_gateway.sessions.book import Book
from vllm_gateway.sessions.model import Message, Session, Turn
from vllm_gateway.sessions.owners import BEARER
from vllm_gateway.sessions.store import Permit
from vllm_gateway.sessions.stores.memory import MemoryStore


def a_book(clock: HandClock | None = None) -> Book:
    """Return an empty book."""
    return Book(MemoryStore(), ttl_s=600.0, clock=clock or HandClock())


async def test_ids_cannot_be_guessed() -> None:
    """128 random bits, and never the same twice."""
    book = a_book()
    ids = {(await book.begin("alice")).id for _ in range(100)}
    assert len(ids) == 100
    assert all(each.startswith("sess_") and len(each) == len("sess_") + 32 for each in ids)


async def test_a_session_keeps_what_it_was_begun_with() -> None:
    """Model, title and system prompt; it is found by its owner."""
    book = a_book()
    begun = await book.begin("alice", model="m", title="t", system_prompt="s")
    assert await book.find(begun.id, "alice") == begun
    assert (begun.model, begun.title, begun.system_prompt, begun.turns) == ("m", "t", "s", 0)
    assert book.expires_in(begun) == 600


async def test_a_stranger_finds_nothing() -> None:
    """Whatever is tried, the sentence is that of a session which never was, and nothing changes."""
    book = a_book()
    begun = await book.begin("alice")
    sentences = set()
    for session_id in (begun.id, "sess_none"):
        for attempt in (
            book.find(session_id, "bob"),
            book.change(session_id, "bob", {"title": "mine"}),
            book.end(session_id, "bob"),
            book.messages(session_id, "bob", start=0, limit=10),
            book.find(session_id, "bob", is_bearer=True),
        ):
            with pytest.raises(SessionUnknown) as refusal:
                await attempt
            sentences.add(refusal.value.message)
    assert len(sentences) == 1
    assert (await book.find(begun.id, "alice")).title is None


async def test_a_bearers_session_is_for_whoever_knows_its_id() -> None:
    """On the routes where the id is enough, and there only."""
    book = a_book()
    begun = await book.begin(BEARER)
    assert (await book.change(begun.id, "", {"system_prompt": "x"}, is_bearer=True)).system_prompt == "x"
    with pytest.raises(SessionUnknown):
        await book.find(begun.id, "alice")
    await book.end(begun.id, "", is_bearer=True)
    with pytest.raises(SessionUnknown):
        await book.find(begun.id, "", is_bearer=True)


async def test_pages_say_whether_more_follow() -> None:
    """The youngest first; the last page says that it is."""
    clock = HandClock()
    book = a_book(clock)
    ids = []
    for _ in range(5):
        ids.append((await book.begin("alice")).id)
        clock.move(1)
    await book.begin("bob")
    first, has_more = await book.page("alice", limit=3, after=None)
    rest, more_still = await book.page("alice", limit=3, after=first[-1].id)
    assert [each.id for each in (*first, *rest)] == ids[::-1]
    assert (has_more, more_still) == (True, False)


async def test_messages_come_with_their_session() -> None:
    """So that places can be told."""
    store = MemoryStore()
    book = Book(store, ttl_s=600.0, clock=HandClock())
    begun = await book.begin("alice")
    await store.begin(begun.id, "h", begun.created, lease_s=30)
    await store.finish(begun.id, "h", turn("a", "b", "c", at=begun.created))
    session, found = await book.messages(begun.id, "alice", start=1, limit=1)
    assert session.messages == 3
    assert [each.fields["content"] for each in found] == ["b"]


async def test_what_has_expired_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and then, in the background."""
    monkeypatch.setattr(book_module, "SWEEP_S", 0.01)
    clock, store = HandClock(), MemoryStore()
    book = Book(store, ttl_s=600.0, clock=clock)
    await book.begin("alice")
    book.open()
    clock.move(601)
    await until(lambda: store._sessions == {})
    await book.close()


async def test_a_page_of_large_messages_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the message that makes it large; all of them come page by page, until the session is ended."""
    monkeypatch.setattr(book_module, "PAGE_BYTES", 100)
    store = MemoryStore()
    book = Book(store, ttl_s=600.0, clock=HandClock())
    begun = await book.begin("alice")
    await store.begin(begun.id, "h", begun.created, lease_s=30)
    await store.finish(begun.id, "h", turn(*("x" * 90 for _ in range(5)), at=begun.created))
    session, found = await book.messages(begun.id, "alice", start=1, limit=100)
    assert len(found) == 1
    assert [len(some) async for some in book.all_messages(session)] == [1] * 5
    pages = book.all_messages(session)
    await anext(pages)
    await book.end(begun.id, "alice")
    with pytest.raises(SessionUnknown):
        await anext(pages)


async def test_a_page_after_a_session_that_is_gone_is_refused() -> None:
    """An empty page would say that nothing follows."""
    book = a_book()
    first, second = [await book.begin("alice") for _ in range(2)]
    await book.end(second.id, "alice")
    for after in (second.id, "sess_none"):
        with pytest.raises(SessionUnknown):
            await book.page("alice", limit=5, after=after)
    assert await book.page("alice", limit=5, after=None) == ([first], False)


async def test_a_session_can_go_on_from_what_was_said_elsewhere() -> None:
    """The messages are there as if they had been said here, and the next turn begins with them."""
    clock = HandClock()
    store = MemoryStore()
    book = Book(store, ttl_s=600.0, clock=clock)
    said = [Message({"role": role, "content": role}) for role in ("user", "assistant", "user", "assistant")]
    begun = await book.begin("alice", title="branch", messages=said)
    assert (begun.turns, begun.messages, begun.title) == (2, 4, "branch")
    assert (await book.messages(begun.id, "alice", start=0, limit=10))[1] == said
    held = await store.begin(begun.id, "h", clock.wall(), lease_s=30)
    assert held is not None
    assert list(held.window) == said


async def test_a_session_that_cannot_be_filled_is_none() -> None:
    """When the store fails between beginning and writing, nothing stays behind."""

    class Failing(MemoryStore):
        @override
        async def finish(
            self, session_id: str, holder: str, turn: Turn, permit: Permit | None = None
        ) -> Session | None:
            raise StoreFailed("The store is away.")

    book = Book(Failing(), ttl_s=600.0, clock=HandClock())
    with pytest.raises(StoreFailed):
        await book.begin("alice", messages=[Message({"role": "user", "content": "x"})])
    assert await book.page("alice", limit=10, after=None) == ([], False)
