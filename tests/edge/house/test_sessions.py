"""`/v1/sessions`: the object that owners see. What its routes do is tested over the wire."""

from tests.sessions.stores.places import NOW, session
from vllm_gateway.clock import HandClock
from vllm_gateway.edge.house.sessions import session_object
from vllm_gateway.sessions.book import Book
from vllm_gateway.sessions.stores.memory import MemoryStore


def book() -> Book:
    """Return a book ten seconds after the session's last use."""
    return Book(MemoryStore(), ttl_s=600.0, clock=HandClock(wall=NOW + 10))


def test_an_owner_sees_the_state_of_its_session() -> None:
    """All of it but the owner."""
    kept = session(model="m", title="t", turns=2, messages=6, first_kept=2, input_tokens=30, output_tokens=8)
    assert session_object(kept, book()) == {
        "id": "s",
        "object": "session",
        "model": "m",
        "title": "t",
        "system_prompt": None,
        "created_at": NOW,
        "last_used_at": NOW,
        "expires_at": NOW + 600,
        "expires_in": 590,
        "turns": 2,
        "messages": 6,
        "messages_in_context": 4,
        "replica": kept.replica,
        "usage": {"input_tokens": 30, "output_tokens": 8, "prompt_tokens": 0},
    }


def test_a_session_that_lives_for_ever_never_expires() -> None:
    """Both times are null."""
    shown = session_object(session(ttl_s=0.0), book())
    assert (shown["expires_at"], shown["expires_in"]) == (None, None)
