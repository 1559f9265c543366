"""What every store promises."""

from dataclasses import replace
from typing import Any

import pytest

from tests.sessions.stores.places import NOW, TTL_S, Place, said, session, turn
from vllm_gateway.sessions.model import Begun, Changes, KeptResponse, Message
from vllm_gateway.sessions.store import Permit, SessionTaken, Store

AWKWARD = "Zoë 🙂 \u0000 ' \" \\ \n % $1 {}"


def response(name: str = "resp_1", **changed: Any) -> KeptResponse:  # noqa: ANN401 - any field of a response
    """Return a response."""
    kept = KeptResponse(
        id=name,
        owner="alice",
        created=NOW,
        expires=NOW + TTL_S,
        chain=("resp_0",),
        input=[{"role": "user", "content": AWKWARD}, 1.5, None, True],
        response={"id": name, "output": [{"text": AWKWARD}], "usage": {"total_tokens": 2**40}},
        replica="r1",
    )
    return replace(kept, **changed)


async def test_a_session_comes_back_as_it_was(store: Store) -> None:
    """Every field, with times to the last bit and texts of any characters."""
    whole = session(
        "sess_ä\u0000",
        owner="é",
        model=AWKWARD,
        title="",
        system_prompt=AWKWARD * 1000,
        turns=2,
        input_tokens=2**40,
        output_tokens=7,
        prompt_tokens=3,
        replica="r-ü",
        used=NOW + 0.1,
        ttl_s=0.1 + 0.2,
    )
    for each in (whole, session("plain")):
        await store.create(each)
        assert await store.find(each.id, NOW) == each
    assert await store.find("other", NOW) is None
    assert await store.find("sess_\u0000'; --", NOW) is None


async def test_turns_are_appended_in_order(store: Store) -> None:
    """Each adds its messages and its tokens, and the window that models see begins where it says."""
    await store.create(session(model="m", title="t", system_prompt="p"))
    first = await store.begin("s", "h1", NOW, lease_s=30)
    assert first == Begun(session(model="m", title="t", system_prompt="p"), ())
    after = await store.finish("s", "h1", turn("a", "b", at=NOW + 1))
    expected = session(model="m", title="t", system_prompt="p", used=NOW + 1, turns=1, input_tokens=10)
    expected = replace(expected, output_tokens=3, prompt_tokens=10, messages=2, replica="r1")
    assert after == expected
    assert await store.begin("s", "h2", NOW + 2, lease_s=30) == Begun(expected, said("a", "b"))
    after = await store.finish("s", "h2", turn("c", "d", "e", at=NOW + 3, first_kept=2, replica=None))
    expected = replace(expected, used=NOW + 3, turns=2, input_tokens=20, output_tokens=6, messages=5, first_kept=2)
    expected = replace(expected, replica=None)
    assert after == expected
    assert await store.find("s", NOW + 3) == expected
    assert await store.begin("s", "h3", NOW + 4, lease_s=30) == Begun(expected, said("c", "d", "e"))


async def test_messages_come_back_as_they_were(store: Store) -> None:
    """Parts, tool calls, numbers, empty and null values, any characters."""
    messages = (
        Message({"role": "user", "content": [{"type": "text", "text": AWKWARD}, {"n": [1, 2.5, True, None]}]}, 5),
        Message({"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": "{}"}}]}),
        Message({}),
    )
    await store.create(session())
    await store.begin("s", "h", NOW, lease_s=30)
    await store.finish("s", "h", replace(turn(), messages=messages))
    assert await store.messages("s", start=0, limit=10) == list(messages)


async def test_messages_are_read_in_pieces(store: Store) -> None:
    """From any place, and never more than asked for; what was dropped from the window is still there."""
    texts = [f"{number}" for number in range(2500)]
    await store.create(session())
    await store.begin("s", "h", NOW, lease_s=30)
    await store.finish("s", "h", turn(*texts, first_kept=7))
    begun = await store.begin("s", "h", NOW, lease_s=30)
    assert begun is not None
    assert begun.window == said(*texts[7:])
    assert await store.messages("s", start=0, limit=100_000) == list(said(*texts))
    assert await store.messages("s", start=990, limit=20) == list(said(*texts[990:1010]))
    assert await store.messages("s", start=2499, limit=2) == list(said("2499"))
    assert await store.messages("s", start=2500, limit=2) == []
    assert await store.messages("s", start=3, limit=0) == []
    assert await store.messages("other", start=0, limit=2) == []


async def test_a_turn_without_messages_counts(store: Store) -> None:
    """It is a use of the session like any other."""
    await store.create(session())
    await store.begin("s", "h", NOW, lease_s=30)
    after = await store.finish("s", "h", turn(at=NOW + 1))
    assert after is not None
    assert (after.turns, after.messages, after.used) == (1, 0, NOW + 1)


async def test_one_turn_at_a_time(store: Store) -> None:
    """Nobody begins one while another is under way, its own holder included; the next may when it is over."""
    await store.create(session())
    await store.begin("s", "h1", NOW, lease_s=30)
    for holder in ("h2", "h1"):
        with pytest.raises(SessionTaken):
            await store.begin("s", holder, NOW + 29.9, lease_s=30)
    await store.finish("s", "h1", turn("a", at=NOW + 1))
    assert await store.begin("s", "h2", NOW + 1, lease_s=30)


async def test_a_second_end_of_a_turn_does_nothing(store: Store) -> None:
    """A turn that was kept, or given up, or that is somebody else's cannot be kept again."""
    await store.create(session())
    await store.begin("s", "h1", NOW, lease_s=30)
    assert await store.finish("s", "h2", turn("x")) is None
    assert await store.finish("s", "h1", turn("a"))
    assert await store.finish("s", "h1", turn("a")) is None
    await store.begin("s", "h3", NOW, lease_s=30)
    await store.abandon("s", "h3")
    assert await store.finish("s", "h3", turn("c")) is None
    assert await store.messages("s", start=0, limit=9) == list(said("a"))


async def test_a_turn_that_is_given_up_leaves_no_trace(store: Store) -> None:
    """Only its holder can give it up, and giving up nothing does nothing."""
    await store.create(session())
    await store.begin("s", "h1", NOW, lease_s=30)
    await store.abandon("s", "h2")
    await store.abandon("other", "h1")
    with pytest.raises(SessionTaken):
        await store.begin("s", "h2", NOW, lease_s=30)
    await store.abandon("s", "h1")
    await store.abandon("s", "h1")
    assert await store.find("s", NOW) == session()
    assert await store.begin("s", "h2", NOW, lease_s=30) == Begun(session(), ())


async def test_a_lease_runs_out(store: Store) -> None:
    """From then on another may begin, and the first one has lost its turn."""
    await store.create(session())
    await store.begin("s", "h1", NOW, lease_s=30)
    assert await store.begin("s", "h2", NOW + 30, lease_s=30)
    assert await store.renew("s", "h1", NOW + 31, lease_s=30) is False
    assert await store.finish("s", "h1", turn("a", at=NOW + 31)) is None
    await store.abandon("s", "h1")
    assert await store.finish("s", "h2", turn("b", at=NOW + 32))
    assert await store.messages("s", start=0, limit=9) == list(said("b"))


async def test_a_turn_that_overran_its_lease_is_kept_when_nobody_came(store: Store) -> None:
    """No other turn has been built on the history meanwhile."""
    await store.create(session())
    await store.begin("s", "h", NOW, lease_s=30)
    assert await store.finish("s", "h", turn("a", at=NOW + 100))


async def test_a_renewed_lease_lasts_longer(store: Store) -> None:
    """Counted from the renewal."""
    await store.create(session())
    await store.begin("s", "h1", NOW, lease_s=30)
    assert await store.renew("s", "h1", NOW + 20, lease_s=30) is True
    assert await store.renew("s", "h2", NOW + 20, lease_s=30) is False
    assert await store.renew("other", "h1", NOW + 20, lease_s=30) is False
    with pytest.raises(SessionTaken):
        await store.begin("s", "h2", NOW + 49.9, lease_s=30)
    assert await store.begin("s", "h2", NOW + 50, lease_s=30)


async def test_an_expired_session_is_not_there(store: Store) -> None:
    """To no operation, although it has not been swept."""
    await store.create(session())
    late = NOW + TTL_S
    assert await store.find("s", late - 0.001) == session()
    assert await store.find("s", late) is None
    assert await store.page("alice", late, limit=9) == []
    assert await store.change("s", late, Changes({"title": "t"})) is None
    assert await store.begin("s", "h", late, lease_s=30) is None
    assert await store.renew("s", "h", late, lease_s=30) is False
    assert await store.delete("s", late) is False


async def test_a_session_with_a_turn_under_way_does_not_expire(store: Store) -> None:
    """Until the lease has run out; the end of the turn is its last use."""
    await store.create(session())
    begun = NOW + TTL_S - 1
    late = begun + 20
    await store.begin("s", "h", begun, lease_s=30)
    assert await store.find("s", late) == session()
    assert await store.page("alice", late, limit=9) == [session()]
    assert await store.sweep(late) == 0
    assert await store.renew("s", "h", late, lease_s=30) is True
    assert await store.finish("s", "h", turn("a", at=late + 20))
    assert await store.find("s", late + 20 + TTL_S - 1)
    assert await store.find("s", late + 20 + TTL_S) is None


async def test_a_turn_that_outlived_its_session_is_not_kept(store: Store) -> None:
    """When the lease has run out too."""
    await store.create(session())
    await store.begin("s", "h", NOW, lease_s=30)
    assert await store.finish("s", "h", turn("a", at=NOW + TTL_S)) is None


async def test_a_session_without_an_end_stays(store: Store) -> None:
    """A time to live of 0 is for ever."""
    await store.create(session(ttl_s=0.0))
    assert await store.sweep(NOW * 2) == 0
    assert await store.find("s", NOW * 2) == session(ttl_s=0.0)


async def test_a_change_is_a_use(store: Store) -> None:
    """What is named gets its new value, or none; the rest stays."""
    await store.create(session(model="m", title="t", system_prompt="p"))
    changed = await store.change("s", NOW + 5, Changes({"title": AWKWARD, "model": None}))
    assert changed == session(title=AWKWARD, system_prompt="p", used=NOW + 5)
    assert await store.find("s", NOW + 5 + TTL_S - 1) == changed
    assert await store.change("s", NOW + 6, Changes({})) == replace(changed, used=NOW + 6)
    assert await store.change("other", NOW, Changes({"title": "t"})) is None


async def test_a_change_during_a_turn_outlives_it(store: Store) -> None:
    """The turn's end writes only what is its own."""
    await store.create(session())
    await store.begin("s", "h", NOW, lease_s=30)
    await store.change("s", NOW, Changes({"title": "new"}))
    after = await store.finish("s", "h", turn("a"))
    assert after is not None
    assert after.title == "new"


async def test_a_deleted_session_is_gone_with_its_messages(store: Store) -> None:
    """A turn that is under way then cannot be kept."""
    await store.create(session())
    await store.begin("s", "h1", NOW, lease_s=30)
    await store.finish("s", "h1", turn("a"))
    await store.begin("s", "h2", NOW, lease_s=30)
    assert await store.delete("s", NOW) is True
    assert await store.finish("s", "h2", turn("b")) is None
    assert await store.delete("s", NOW) is False
    assert await store.find("s", NOW) is None
    assert await store.page("alice", NOW, limit=9) == []
    assert await store.messages("s", start=0, limit=9) == []


async def test_pages_follow_each_other(store: Store) -> None:
    """The youngest first, those of one instant by id; only the owner's own."""
    for name, created in (("b", 1.0), ("a", 1.0), ("é", 1.0), ("old", 0.0), ("new", 2.0)):
        await store.create(session(name, created=NOW + created))
    await store.create(session("foreign", owner="bob"))
    listed = [each.id for each in await store.page("alice", NOW, limit=99)]
    assert listed == ["new", "a", "b", "é", "old"]
    found: list[str] = []
    while some := await store.page("alice", NOW, limit=2, after=found[-1] if found else None):
        found += [each.id for each in some]
    assert found == listed
    assert [each.id for each in await store.page("bob", NOW, limit=9)] == ["foreign"]
    assert await store.page("carol", NOW, limit=9) == []


async def test_a_page_after_what_is_not_there_is_empty(store: Store) -> None:
    """Whether it never was, is somebody else's, was deleted or has expired."""
    await store.create(session("mine"))
    await store.create(session("foreign", owner="bob"))
    await store.create(session("short", ttl_s=1.0))
    await store.create(session("gone"))
    await store.delete("gone", NOW)
    for after in ("other", "foreign", "short", "gone"):
        assert await store.page("alice", NOW + 1, limit=9, after=after) == []


async def test_a_page_passes_over_what_has_expired(store: Store) -> None:
    """However much of it there is."""
    for number in range(210):
        await store.create(session(f"short{number:03}", created=NOW + 1, ttl_s=1.0))
    await store.create(session("long"))
    assert [each.id for each in await store.page("alice", NOW + 1, limit=2)] == ["long"]


async def test_a_sweep_deletes_what_has_expired(store: Store) -> None:
    """And nothing else; it says how many sessions that were."""
    for number in range(450):
        await store.create(session(f"short{number}", ttl_s=1.0))
    await store.create(session("used", ttl_s=1.0))
    await store.change("used", NOW + 0.5, Changes({}))
    await store.create(session("long"))
    assert await store.sweep(NOW + 1) == 450
    assert await store.sweep(NOW + 1) == 0
    assert {each.id for each in await store.page("alice", NOW + 1, limit=9)} == {"used", "long"}
    assert await store.sweep(NOW + 1.5) == 1
    assert await store.sweep(NOW + TTL_S) == 1


async def test_a_response_comes_back_as_it_was(store: Store) -> None:
    """Every field; one without a replica too."""
    for each in (response(), response("resp_\u0000", replica=None, chain=(), expires=0.0, input=[], response={})):
        await store.keep(each)
        assert await store.kept([each.id], NOW) == [each]


async def test_responses_come_in_the_order_asked_for(store: Store) -> None:
    """Those that are not there are left out."""
    chain = [response(f"resp_{number}") for number in range(230)]
    for each in chain:
        await store.keep(each)
    assert await store.kept([each.id for each in reversed(chain)], NOW) == chain[::-1]
    assert await store.kept(["resp_2", "other", "resp_1"], NOW) == [chain[2], chain[1]]
    assert await store.kept([], NOW) == []


async def test_a_response_expires(store: Store) -> None:
    """Unless it is kept for ever."""
    await store.keep(response())
    await store.keep(response("for ever", expires=0.0))
    assert len(await store.kept(["resp_1", "for ever"], NOW + TTL_S - 1)) == 2
    assert [each.id for each in await store.kept(["resp_1", "for ever"], NOW + TTL_S)] == ["for ever"]
    assert await store.sweep(NOW + TTL_S) == 0
    assert [each.id for each in await store.kept(["resp_1", "for ever"], NOW + TTL_S)] == ["for ever"]


async def test_a_response_is_forgotten(store: Store) -> None:
    """Once."""
    await store.keep(response())
    assert await store.forget("resp_1") is True
    assert await store.forget("resp_1") is False
    assert await store.kept(["resp_1"], NOW) == []


async def test_what_was_kept_outlives_the_store(lasting_place: Place) -> None:
    """The next gateway finds the session, its messages and its responses."""
    first = lasting_place.open()
    await first.create(session())
    await first.begin("s", "h", NOW, lease_s=30)
    kept = await first.finish("s", "h", turn("a", "b"))
    await first.keep(response())
    await first.close()
    second = lasting_place.open()
    assert await second.find("s", NOW) == kept
    assert await second.messages("s", start=0, limit=9) == list(said("a", "b"))
    assert await second.kept(["resp_1"], NOW) == [response()]


async def test_a_turn_whose_permit_was_withdrawn_leaves_no_trace(store: Store) -> None:
    """Its holder has the lease all the same, and may still give it up."""
    await store.create(session())
    await store.begin("s", "h", NOW, lease_s=30)
    permit = Permit()
    assert permit.withdraw()
    assert await store.finish("s", "h", turn("a"), permit) is None
    assert await store.find("s", NOW) == session()
    assert await store.messages("s", start=0, limit=9) == []
    permit = Permit()
    assert await store.finish("s", "h", turn("b"), permit)
    assert not permit.withdraw()
    assert [message.fields["content"] for message in await store.messages("s", start=0, limit=9)] == ["b"]
