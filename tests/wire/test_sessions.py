"""`/v1/sessions`: conversations that the gateway keeps, as their owner sees them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until
from tests.wire.documented import answered_chat, json_of
from tests.wire.sims import asked, fast, fleet
from tests.wire.talking import SESSIONS, history, new, refused, say, state
from vllm_gateway import codec

FIELDS = sorted(
    [
        *("id", "object", "model", "title", "system_prompt", "created_at", "last_used_at", "expires_at", "expires_in"),
        *("turns", "messages", "messages_in_context", "replica", "usage"),
    ]
)
KEYS = {"mode": "keys", "client_keys": ("client-key-1", "client-key-2")}


async def test_a_new_session() -> None:
    """Nothing has to be given; what is given comes back, and the times agree with each other."""
    async with fleet() as (_, door):
        empty = json_of(await door.http.post(SESSIONS), 201)
        given = {"system_prompt": "Be brief.", "model": "sim-small", "title": "Заголовок"}
        full = json_of(await door.http.post(SESSIONS, json=given), 201)
        assert await state(door, full["id"]) == {**full, "expires_in": pytest.approx(full["expires_in"], abs=1)}
    assert sorted(empty) == FIELDS
    assert (empty["object"], empty["model"], empty["title"], empty["system_prompt"]) == ("session", None, None, None)
    assert given.items() <= full.items()
    assert empty["usage"] == {"input_tokens": 0, "output_tokens": 0, "prompt_tokens": 0}
    assert (empty["turns"], empty["messages"], empty["messages_in_context"]) == (0, 0, 0)
    assert len(bytes.fromhex(empty["id"].removeprefix("sess_"))) == 16
    assert empty["created_at"] == empty["last_used_at"] == pytest.approx(empty["expires_at"] - 600)
    assert 599 <= empty["expires_in"] <= 600


async def test_a_session_may_live_for_ever() -> None:
    """Without a time to live nothing says when it ends."""
    async with fleet(session={"ttl_s": 0}) as (_, door):
        session = await state(door, await new(door))
        turn = json_of(await say(door, session["id"]))
    assert (session["expires_at"], session["expires_in"], turn["session"]["expires_in"]) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ('{"ttl": 5}', "ttl"),
        ('{"messages": []}', "messages"),
        ('{"title": 7}', "title"),
        ('{"model": {}}', "model"),
        ('{"system_prompt": []}', "system_prompt"),
        ("{", None),
        ("[]", None),
    ],
)
async def test_a_wrong_body_makes_and_changes_nothing(body: str, param: str | None) -> None:
    """400 that names the field, for a new session and for a change of one."""
    async with fleet() as (_, door):
        session_id = await new(door, title="Old")
        for method, path in (("POST", SESSIONS), ("PATCH", f"{SESSIONS}/{session_id}")):
            reply = await door.http.request(method, path, content=body, headers={"content-type": "application/json"})
            refused(reply, 400, param=param)
        listed = json_of(await door.http.get(SESSIONS))["data"]
    assert [(session["id"], session["title"]) for session in listed] == [(session_id, "Old")]


async def test_a_session_can_be_changed() -> None:
    """What is given changes, null clears, the rest stays; the next turn goes by it."""
    async with fleet(fast(models=("a", "b"))) as ([sim], door):
        session_id = await new(door, system_prompt="First.", model="a", title="Old")
        path = f"{SESSIONS}/{session_id}"
        changed = json_of(await door.http.patch(path, json={"model": "b", "title": "New"}))
        first = json_of(await say(door, session_id))
        cleared = json_of(await door.http.patch(path, json={"system_prompt": None, "title": None}))
        json_of(await say(door, session_id))
        once = json_of(await say(door, session_id, model="a"))
        after = await state(door, session_id)
        roles = [[message["role"] for message in body["messages"]] for body in asked(sim)]
    assert (changed["model"], changed["title"], changed["system_prompt"]) == ("b", "New", "First.")
    assert (cleared["model"], cleared["title"], cleared["system_prompt"]) == ("b", None, None)
    assert (first["model"], once["model"], after["model"]) == ("b", "a", "b")
    assert [row[0] for row in roles] == ["system", "user", "user"]


async def test_a_deleted_session_is_gone() -> None:
    """It says that it was deleted, and every further word of it is 404."""
    async with fleet() as (_, door):
        session_id = await new(door)
        path = f"{SESSIONS}/{session_id}"
        deleted = json_of(await door.http.delete(path))
        replies = [await door.http.delete(path), await door.http.get(path), await door.http.get(path + "/messages")]
        replies += [await door.http.patch(path, json={}), await door.http.get(path + "/export")]
        replies.append(await say(door, session_id))
        assert json_of(await door.http.get(SESSIONS))["data"] == []
    assert deleted == {"id": session_id, "object": "session.deleted", "deleted": True}
    for reply in replies:
        refused(reply, 404, code="session_not_found")


async def test_an_idle_session_expires_and_a_used_one_does_not() -> None:
    """Each turn gives it its whole time again; after that long without one it is 404."""
    async with fleet(session={"ttl_s": 1}) as (_, door):
        idle, used = await new(door), await new(door)
        for _ in range(4):
            await asyncio.sleep(0.3)
            json_of(await say(door, used))
        refused(await door.http.get(f"{SESSIONS}/{idle}"), 404, code="session_not_found")
        assert [session["id"] for session in json_of(await door.http.get(SESSIONS))["data"]] == [used]


async def test_sessions_are_listed_page_by_page() -> None:
    """The youngest come first, each exactly once; a limit out of range is refused."""
    async with fleet() as (_, door):
        ids = [await new(door, title=str(number)) for number in range(5)]
        seen: list[list[str]] = []
        after = ""
        for _ in range(3):
            page = json_of(await door.http.get(f"{SESSIONS}?limit=2{after}"))
            seen.append([session["id"] for session in page["data"]])
            assert (page["object"], page["first_id"], page["last_id"]) == ("list", seen[-1][0], seen[-1][-1])
            assert page["has_more"] is (len(seen) < 3)
            after = f"&after={page['last_id']}"
        whole = json_of(await door.http.get(SESSIONS))
        for limit in ("0", "101", "x"):
            refused(await door.http.get(f"{SESSIONS}?limit={limit}"), 400, param="limit")
    assert seen == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert [session["id"] for session in whole["data"]] == ids[::-1]
    assert whole["has_more"] is False


async def test_lists_carry_no_system_prompts_and_know_no_sessions_that_are_gone() -> None:
    """A hundred of them may be as large as a hundred books; `after` a deleted session is 404, not the end."""
    async with fleet() as (_, door):
        ids = [await new(door, system_prompt="Be brief.") for _ in range(2)]
        rows = json_of(await door.http.get(SESSIONS))["data"]
        await door.http.delete(f"{SESSIONS}/{ids[1]}")
        refused(await door.http.get(f"{SESSIONS}?after={ids[1]}"), 404, code="session_not_found")
        assert (await state(door, ids[0]))["system_prompt"] == "Be brief."
    assert all(sorted(row) == [name for name in FIELDS if name != "system_prompt"] for row in rows)


async def test_no_field_of_a_message_hides_its_place() -> None:
    """Messages may have any fields; these two are the gateway's."""
    message = {"role": "user", "content": "x", "place": 99, "in_context": "no"}
    async with fleet() as (_, door):
        session_id = await new(door)
        json_of(await door.http.post(f"{SESSIONS}/{session_id}/chat", json={"messages": [message], "max_tokens": 4}))
        rows = json_of(await door.http.get(f"{SESSIONS}/{session_id}/messages"))["data"]
    assert [(row["place"], row["in_context"]) for row in rows] == [(0, True), (1, True)]


async def test_no_session_is_an_empty_list() -> None:
    """The list of nothing has no first and no last."""
    async with fleet() as (_, door):
        page = json_of(await door.http.get(SESSIONS))
    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_messages_are_listed_by_place() -> None:
    """Every message with all that belongs to it, page by page, the oldest first."""
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    said = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    said.append({"role": "tool", "tool_call_id": "call_1", "content": "42"})
    async with fleet() as (_, door):
        session_id = await new(door, system_prompt="Not a message.")
        json_of(await say(door, session_id, [{"type": "text", "text": "Hello"}]))
        body = {"messages": said, "max_tokens": 8}
        json_of(await door.http.post(f"{SESSIONS}/{session_id}/chat", json=body))
        path = f"{SESSIONS}/{session_id}/messages"
        whole = json_of(await door.http.get(path))
        first = json_of(await door.http.get(f"{path}?limit=2"))
        rest = json_of(await door.http.get(f"{path}?limit=1000&after={first['next_after']}"))
        for query in ("limit=0", "limit=1001", "after=x", "after=-2", f"after={10**30}"):
            refused(await door.http.get(f"{path}?{query}"), 400, param=query.partition("=")[0])
    assert [(message["place"], message["role"]) for message in whole["data"]] == list(
        enumerate(["user", "assistant", "assistant", "tool", "assistant"])
    )
    assert whole["data"][0]["content"] == [{"type": "text", "text": "Hello"}]
    assert said[0].items() <= whole["data"][2].items()
    assert said[1].items() <= whole["data"][3].items()
    assert all(message["in_context"] is True for message in whole["data"])
    assert (first["has_more"], rest["has_more"], whole["next_after"]) == (True, False, None)
    assert first["data"] + rest["data"] == whole["data"]


async def test_a_session_can_be_exported() -> None:
    """As JSON with everything, and as Markdown that a person can read; both are offered as a file."""
    async with fleet() as (_, door):
        session_id = await new(door, title="Über 🙂 #1", system_prompt="Be brief.")
        answer = json_of(await say(door, session_id, "Первый вопрос"))["choices"][0]["message"]["content"]
        path = f"{SESSIONS}/{session_id}/export"
        plain, as_json = await door.http.get(path), await door.http.get(f"{path}?format=json")
        markdown = await door.http.get(f"{path}?format=markdown")
        refused(await door.http.get(f"{path}?format=pdf"), 400, param="format")
        whole = json_of(await door.http.get(f"{SESSIONS}/{session_id}/messages"))["data"]
    exported = json_of(as_json)
    assert json_of(plain)["messages"] == exported["messages"] == whole
    assert (exported["session"]["id"], exported["session"]["title"]) == (session_id, "Über 🙂 #1")
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    for part in ("Über 🙂 #1", "Be brief.", "Первый вопрос", answer):
        assert part in markdown.text
    for reply, suffix in ((as_json, ".json"), (markdown, ".md")):
        assert reply.headers["content-disposition"].startswith("attachment; filename=")
        assert suffix in reply.headers["content-disposition"]


async def test_a_caller_sees_only_its_own_sessions() -> None:
    """With another key the session is as unknown as one that never was."""
    mine, other = ({"authorization": f"Bearer {key}"} for key in KEYS["client_keys"])
    async with fleet(auth=KEYS) as ([sim], door):
        session_id = json_of(await door.http.post(SESSIONS, headers=mine), 201)["id"]
        path = f"{SESSIONS}/{session_id}"
        for method, below, body in (
            ("GET", "", None),
            ("PATCH", "", {"title": "stolen"}),
            ("DELETE", "", None),
            ("GET", "/messages", None),
            ("GET", "/export", None),
            ("POST", "/chat", {"message": "Hi", "max_tokens": 4}),
        ):
            reply = await door.http.request(method, path + below, json=body, headers=other)
            refused(reply, 404, code="session_not_found")
            assert (await door.http.request(method, path + below, json=body)).status_code == 401
        assert json_of(await door.http.get(SESSIONS, headers=other))["data"] == []
        assert json_of(await door.http.get(path, headers=mine))["title"] is None
        assert asked(sim) == []


async def test_a_stranger_is_not_told_that_a_session_is_busy() -> None:
    """While the owner's turn is under way, somebody else's finds no session, and does not wait to be told so."""
    mine, other = ({"authorization": f"Bearer {key}"} for key in KEYS["client_keys"])
    async with fleet(fast(itl_ms=10), auth=KEYS, session={"turn_wait_s": 0.2}) as ([sim], door):
        session_id = json_of(await door.http.post(SESSIONS, headers=mine), 201)["id"]
        path, body = f"{SESSIONS}/{session_id}/chat", {"message": "Hi", "max_tokens": 40, "ignore_eos": True}
        async with asyncio.TaskGroup() as turns:
            own = turns.create_task(door.http.post(path, json=body, headers=mine))
            await until(lambda: len(asked(sim)) == 1)
            refused(await door.http.post(path, json=body, headers=other), 404, code="session_not_found")
            assert not own.done()
        answered_chat(own.result())


async def test_both_shapes_speak_of_the_same_sessions() -> None:
    """A session that was begun in one shape goes on in the other."""
    async with fleet() as (_, door):
        first = json_of(await door.http.post("/init_session", json={"vllm_api_key": "x"}))["session_id"]
        second = await new(door)
        for session_id in (first, second):
            turn = {"session_id": session_id, "message": "One", "max_tokens": 8}
            reply = json_of(await door.http.post("/chat", json=turn))["reply"]
            answer = json_of(await say(door, session_id, "Two"))
            assert answer["session"]["turns"] == 2
            assert await history(door, session_id) == [
                ("user", "One"),
                ("assistant", reply),
                ("user", "Two"),
                ("assistant", answer["choices"][0]["message"]["content"]),
            ]


async def test_a_restart_keeps_conversations(tmp_path: Path) -> None:
    """What one gateway has kept in its file, the next one goes on with."""
    kept = {"backend": "sqlite", "path": str(tmp_path / "state" / "sessions.sqlite")}
    async with fleet(session=kept) as (_, door):
        session_id = await new(door, title="Kept", system_prompt="Be brief.")
        json_of(await say(door, session_id, "One"))
        before = await state(door, session_id)
        said = await history(door, session_id)
    async with fleet(session=kept) as ([sim], door):
        assert await state(door, session_id) == {**before, "expires_in": pytest.approx(before["expires_in"], abs=2)}
        assert await history(door, session_id) == said
        answered_chat(await say(door, session_id, "Two"))
        assert [message["content"] for message in asked(sim)[0]["messages"]] == [
            "Be brief.",
            *(content for _, content in said),
            "Two",
        ]


async def test_a_store_that_does_not_work_is_told(tmp_path: Path) -> None:
    """503 in a sentence without a path; what needs no conversation goes on working."""
    async with fleet(session={"backend": "sqlite", "path": str(tmp_path)}) as (_, door):
        replies = [await door.http.post(SESSIONS), await door.http.get(SESSIONS), await say(door, "sess_" + "0" * 32)]
        for reply in replies:
            assert str(tmp_path) not in refused(reply, 503, code="store_unavailable")
        body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
        answered_chat(await door.http.post("/v1/chat/completions", json=body))


async def test_turns_stay_with_the_replica_that_knows_the_conversation() -> None:
    """One session is answered by one replica while that is healthy, and by another one afterwards."""
    async with fleet(fast(), fast(), probe={"every_s": 0.05}) as (sims, door):
        session_id = await new(door)
        for number in range(5):
            json_of(await say(door, session_id, str(number)))
        answered = [len(asked(sim)) for sim in sims]
        assert sorted(answered) == [0, 5]
        sims[answered.index(5)].stop_listening(cut=True)
        await until(lambda: sum(replica.is_usable for replica in door.parts.pool.replicas) == 1)
        assert json_of(await say(door, session_id, "5"))["session"]["turns"] == 6


async def test_the_callers_own_cache_key_keeps_replicas_together() -> None:
    """Requests of one `prompt_cache_key` prefer one replica, without any session."""
    hello = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    body = {**hello, "prompt_cache_key": "chat-1"}
    async with fleet(fast(), fast()) as (sims, door):
        for _ in range(5):
            reply = await door.http.post("/v1/chat/completions", content=codec.dumps(body))
            answered_chat(reply)
    assert sorted(len(asked(sim)) for sim in sims) == [0, 5]


async def test_a_session_goes_on_from_what_is_sent_with_it() -> None:
    """A branch: the messages are kept with all their fields, and the next turn's prompt holds them."""
    said: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "What is the time?"}]},
        {"role": "assistant", "content": "Noon.", "reasoning": "The sun is high."},
        {"role": "user", "content": "And there?"},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "clock", "arguments": "{}"}}]},
        {"role": "tool", "content": "1 pm", "tool_call_id": "a"},
    ]
    async with fleet() as ((sim,), door):
        branch = json_of(await door.http.post(SESSIONS, json={"model": "sim-small", "messages": said}), 201)
        assert (branch["turns"], branch["messages"]) == (2, 5)
        said[3]["content"] = None  # as it may be left out beside calls
        assert await history(door, branch["id"]) == [(each["role"], each["content"]) for each in said]
        json_of(await say(door, branch["id"], "And now?"))
        assert asked(sim)[-1]["messages"] == [*said, {"role": "user", "content": "And now?"}]
        wrong = await door.http.post(SESSIONS, json={"messages": [{"role": "nobody", "content": "x"}]})
        assert wrong.status_code == 400
