"""A turn of a session: what reaches the replica, and what is kept."""

from typing import Any

import pytest

from tests.wire.sims import asked, fast, fleet
from tests.wire.talking import history, new, refused, say, state


async def test_the_replica_is_sent_all_that_fits() -> None:
    """System prompt, history and what is new, in order, under the model that is meant."""
    async with fleet() as ([sim], door):
        session_id = await new(door, system_prompt="Be brief.")
        await say(door, session_id, "One")
        await say(door, session_id, "Two", seed=7)
        body = asked(sim)[-1]
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert (body["model"], body["seed"], body["messages"][-1]["content"]) == ("sim-small", 7, "Two")


@pytest.mark.parametrize("stream", [False, True])
async def test_counts_are_those_of_the_replica(*, stream: bool) -> None:
    """What the gateway computed is what the replica says it read."""
    async with fleet() as (_, door):
        session_id = await new(door)
        for text in ("Grüße 🙂", "x" * 300, ""[:0] or "."):
            await say(door, session_id, text, stream=stream)
        reply = (await say(door, session_id, "last")).json()
        kept = (await state(door, session_id))["usage"]
    assert kept["prompt_tokens"] == reply["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    ("settings", "fields", "expected"),
    [
        ({}, {}, None),
        ({"max_context_tokens": 200}, {}, "rest"),
        ({"max_context_tokens": 200}, {"max_tokens": 5}, 5),
    ],
)
async def test_an_answer_stays_inside_the_context(
    settings: dict[str, Any], fields: dict[str, Any], expected: object
) -> None:
    """Where the settings bound it, a turn that names no length gets what is left; else the replica bounds it."""
    async with fleet(session={"backend": "memory", **settings}) as ([sim], door):
        session_id = await new(door)
        reply = await door.http.post(f"/v1/sessions/{session_id}/chat", json={"message": "Hi", **fields})
        body = asked(sim)[-1]
    prompt_tokens = reply.json()["usage"]["prompt_tokens"]
    assert body.get("max_tokens") == (200 - prompt_tokens if expected == "rest" else expected)


async def test_old_turns_are_dropped_and_still_kept() -> None:
    """Models no longer see them; their owner does."""
    async with fleet(session={"backend": "memory", "max_context_tokens": 120}) as ([sim], door):
        session_id = await new(door, system_prompt="Stay.")
        for number in range(6):
            assert (await say(door, session_id, f"Question {number} " + "x" * 60)).status_code == 200
        kept, said = await state(door, session_id), await history(door, session_id)
        last = asked(sim)[-1]["messages"]
    assert len(said) == 12
    assert kept["messages_in_context"] < 12
    assert (last[0]["content"], last[-1]["content"][:10]) == ("Stay.", "Question 5")
    assert len(last) == kept["messages_in_context"]  # the answer is not among them, the system prompt is


async def test_a_turn_stays_with_its_replica() -> None:
    """Whose cache knows the conversation."""
    async with fleet(fast(), fast()) as (sims, door):
        session_id = await new(door)
        for number in range(5):
            await say(door, session_id, str(number))
        assert sorted(len(asked(sim)) for sim in sims) == [0, 5]


async def test_a_turn_that_does_not_fit_changes_nothing() -> None:
    """Both numbers are told."""
    async with fleet(session={"backend": "memory", "max_context_tokens": 64}) as ([sim], door):
        session_id = await new(door)
        await say(door, session_id, "One")
        before = await state(door, session_id)
        sentence = refused(await say(door, session_id, "x" * 4000), 413, code="context_length_exceeded")
        after = await state(door, session_id)
        assert len(asked(sim)) == 1
    assert "64" in sentence
    assert {**before, "expires_in": 0} == {**after, "expires_in": 0}
