"""Every store does what the one in memory does, whatever is asked of it and in whatever order."""

from collections.abc import Coroutine
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.sessions.stores.places import NOW, Place, session, turn
from vllm_gateway.sessions.model import Changes
from vllm_gateway.sessions.store import SessionTaken, Store
from vllm_gateway.sessions.stores.memory import MemoryStore

texts = some.text(alphabet=some.characters(exclude_categories=["Cs"]), max_size=6)
maybe = some.none() | texts
which = some.integers(0, 3)
holders = some.sampled_from(["h1", "h2"])
owners = some.sampled_from(["", "bob"])


NAMES = (
    *("create", "find", "page", "change", "delete", "messages", "renew", "abandon", "sweep"),
    *("begin", "begin", "finish", "finish"),  # more often, since most of a session's life is turns
)


def named(ids: list[str], number: int) -> str:
    """Return one of the sessions, or one that there is not."""
    return ids[number] if number < len(ids) else "other"


@some.composite
def operations(draw: some.DrawFn) -> tuple[str, dict[str, Any], float]:
    """Return an operation, what is to be known for it, and how long after the one before it comes."""
    name = draw(some.sampled_from(NAMES))
    drawn: dict[str, Any] = {"number": draw(which), "holder": draw(holders)}
    if name == "create":
        drawn |= {"owner": draw(owners), "ttl_s": draw(some.sampled_from([0.0, 5.0, 60.0])), "title": draw(maybe)}
    elif name == "page":
        drawn |= {"owner": draw(owners), "limit": draw(some.integers(1, 3)), "after": draw(some.none() | which)}
    elif name == "change":
        keys = some.sampled_from(["model", "title", "system_prompt"])
        drawn |= {"values": draw(some.dictionaries(keys, maybe))}
    elif name == "messages":
        drawn |= {"start": draw(some.integers(0, 4)), "limit": draw(some.integers(0, 4))}
    elif name == "finish":
        drawn |= {"texts": draw(some.lists(texts, max_size=3)), "first_kept": draw(some.integers(0, 4))}
    return name, drawn, draw(some.sampled_from([0.0, 0.0, 0.1, 1.0, 4.0, 29.9, 30.0]))


async def done(store: Store, name: str, drawn: dict[str, Any], now: float, ids: list[str]) -> object:
    """Do an operation, and return what comes of it."""
    session_id, holder = named(ids, drawn["number"]), drawn["holder"]
    match name:
        case "create":
            new = {"owner": drawn["owner"], "ttl_s": drawn["ttl_s"], "title": drawn["title"]}
            work: Coroutine[Any, Any, object] = store.create(session(ids[-1], created=now, used=now, **new))
        case "find" | "delete":
            work = getattr(store, name)(session_id, now)
        case "page":
            after = None if drawn["after"] is None else named(ids, drawn["after"])
            work = store.page(drawn["owner"], now, limit=drawn["limit"], after=after)
        case "change":
            work = store.change(session_id, now, Changes(drawn["values"]))
        case "messages":
            work = found_messages(store, session_id, now, drawn)
        case "begin":
            work = begun(store, session_id, holder, now)
        case "finish":
            work = store.finish(session_id, holder, turn(*drawn["texts"], at=now, first_kept=drawn["first_kept"]))
        case "renew":
            work = store.renew(session_id, holder, now, lease_s=30)
        case "abandon":
            work = store.abandon(session_id, holder)
        case _:
            work = store.sweep(now)
    return await work


async def found_messages(store: Store, session_id: str, now: float, drawn: dict[str, Any]) -> object:
    """Return messages of a session that is there."""
    is_there = await store.find(session_id, now) is not None
    return is_there and await store.messages(session_id, start=drawn["start"], limit=drawn["limit"])


async def begun(store: Store, session_id: str, holder: str, now: float) -> object:
    """Begin a turn, or return that another one is under way."""
    try:
        return await store.begin(session_id, holder, now, lease_s=30)
    except SessionTaken:
        return "taken"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=some.lists(operations(), min_size=5, max_size=30))
async def test_every_store_does_what_memory_does(
    lasting_place: Place, asked: list[tuple[str, dict[str, Any], float]]
) -> None:
    """Each operation gives the same."""
    store = lasting_place.opened[0] if lasting_place.opened else lasting_place.open()
    model = MemoryStore()
    now = NOW
    ids: list[str] = []
    for name, drawn, later_s in asked:
        now += later_s
        if name == "create":
            ids.append(f"s{len(ids)}")
        assert await done(store, name, drawn, now, ids) == await done(model, name, drawn, now, ids)
    for session_id in ids:
        await store.delete(session_id, now)
    await store.sweep(now + 1000)
