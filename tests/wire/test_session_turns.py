"""Turns of a session: what is said, in which order, what is remembered, and what is not."""

import asyncio
import contextlib
import re
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from tests.gateway import Gateway
from tests.sim.quick import events, text_of
from tests.waiting import PATIENCE_S, until
from tests.wire.documented import answered_chat, answered_stream, json_of
from tests.wire.refused import check_error
from tests.wire.sims import asked, fast, fleet
from tests.wire.talking import SESSIONS, history, new, refused, say, state
from vllm_gateway.outcomes import Outcome

LONG = {"max_tokens": 30, "ignore_eos": True}


async def test_a_turn_in_one_piece() -> None:
    """The replica's own chat completion, with the session beside it; both messages are remembered."""
    async with fleet() as ([sim], door):
        session_id = await new(door, system_prompt="Be brief.")
        replies = [await say(door, session_id, text, seed=3, extra={"top_k": 5}) for text in ("One", "Two")]
        session = await state(door, session_id)
        said = await history(door, session_id)
        first, second = asked(sim)
    for reply in replies:
        answered_chat(reply)
    bodies = [reply.json() for reply in replies]
    assert sorted(bodies[1]["session"]) == ["expires_in", "id", "messages_in_context", "turns"]
    assert (bodies[1]["session"]["id"], bodies[1]["session"]["turns"]) == (session_id, 2)
    assert bodies[1]["session"]["messages_in_context"] == session["messages_in_context"] == session["messages"] == 4
    answers = [body["choices"][0]["message"]["content"] for body in bodies]
    assert said == [("user", "One"), ("assistant", answers[0]), ("user", "Two"), ("assistant", answers[1])]
    assert second["messages"] == [{"role": "system", "content": "Be brief."}] + [
        {"role": role, "content": content} for role, content in said[:3]
    ]
    assert {"seed": 3, "top_k": 5, "max_tokens": 8}.items() <= first.items()
    assert not {"extra", "message", "session_id"} & first.keys()
    assert session["usage"] == {
        "input_tokens": sum(body["usage"]["prompt_tokens"] for body in bodies),
        "output_tokens": sum(body["usage"]["completion_tokens"] for body in bodies),
        "prompt_tokens": bodies[1]["usage"]["prompt_tokens"],
    }


@pytest.mark.parametrize("path", ["/chat", SESSIONS])
async def test_a_streamed_turn(path: str) -> None:
    """Chunks like any other chat's; when `[DONE]` has come, the turn has been stored."""
    async with fleet() as (_, door):
        session_id = await new(door)
        if path == SESSIONS:
            reply = await say(door, session_id, stream=True)
        else:
            body = {"session_id": session_id, "message": "Hello", "max_tokens": 8, "stream": True}
            reply = await door.http.post("/chat", json=body)
        answered_stream(reply)
        chunks = events(reply.text)
        assert all("usage" not in chunk or chunk["usage"] is None for chunk in chunks[:-1])
        assert await history(door, session_id) == [("user", "Hello"), ("assistant", text_of(chunks))]
        session = await state(door, session_id)
        assert (session["turns"], session["usage"]["output_tokens"] > 0) == (1, True)


async def test_a_stream_tells_its_usage_to_who_asks() -> None:
    """`include_usage` gives the one extra chunk, and the session has the same counts."""
    async with fleet() as (_, door):
        session_id = await new(door)
        reply = await say(door, session_id, stream=True, stream_options={"include_usage": True})
        *_, last, done = events(reply.text)
        usage = (await state(door, session_id))["usage"]
    assert (done, last["choices"]) == ("[DONE]", [])
    assert (usage["prompt_tokens"], usage["output_tokens"]) == (
        last["usage"]["prompt_tokens"],
        last["usage"]["completion_tokens"],
    )


async def test_the_done_comes_after_the_turn_was_stored() -> None:
    """Who goes on at once, on a connection of its own, finds the turn before it."""
    async with fleet(fast(itl_ms=1)) as ([sim], door):
        session_id = await new(door)
        for number in range(10):
            body = {"message": str(number), "max_tokens": 4, "stream": True}
            async with door.http.stream("POST", f"{SESSIONS}/{session_id}/chat", json=body) as reply:
                async for line in reply.aiter_lines():
                    if line == "data: [DONE]":
                        assert (await state(door, session_id))["turns"] == number + 1
        assert len(asked(sim)[-1]["messages"]) == 19


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "message"),
        ({"message": "x", "messages": [{"role": "user", "content": "y"}]}, None),
        ({"message": 7}, "message"),
        ({"message": "x", "n": 2}, "n"),
        ({"message": "x", "temperature": 5}, "temperature"),
        ({"message": "x", "max_tokens": -1}, "max_tokens"),
        ({"message": "x", "stream": "perhaps"}, "stream"),
        ({"messages": []}, "messages"),
        ({"message": "x", "guided_json": {}}, "guided_json"),
    ],
)
async def test_a_wrong_turn_is_refused(fields: dict[str, object], param: str | None) -> None:
    """400 that names the field; no replica is asked, and the session is as it was."""
    async with fleet() as ([sim], door):
        session_id = await new(door)
        reply = await door.http.post(f"{SESSIONS}/{session_id}/chat", json=fields)
        refused(reply, 400, param=param)
        assert (await state(door, session_id))["turns"] == 0
        assert asked(sim) == []


async def test_a_model_that_nobody_serves_changes_nothing() -> None:
    """404 as on every route of /v1, and 409 in the first shape."""
    async with fleet() as (_, door):
        session_id = await new(door)
        refused(await say(door, session_id, model="nope"), 404, code="model_not_found")
        turn = {"session_id": session_id, "message": "x", "model": "nope"}
        reply = await door.http.post("/chat", json=turn)
        assert reply.status_code == 409
        check_error(reply)
        assert await history(door, session_id) == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "fault", ["status=500", "status=503", "reset", "reset@3", "eof@3", "stall@3", "error@3", "abort@3"]
)
async def test_a_turn_that_fails_is_forgotten(fault: str, stream: bool) -> None:
    """Whatever breaks, and in either form: the history is as it was, and the next turn finds the session free."""
    timeouts = {"first_token_s": 0.2, "idle_s": 0.2, "total_s": 0.3}
    async with fleet(timeouts=timeouts) as ([sim], door):
        session_id = await new(door)
        json_of(await say(door, session_id, "Before"))
        before = await state(door, session_id), await history(door, session_id)
        sim.faults.add([f"{fault}/v1/chat"])
        answer = await _fail(door, session_id, stream=stream)
        await sim.faults.clear()
        assert b"[DONE]" not in answer
        assert (await state(door, session_id))["usage"] == before[0]["usage"]
        assert await history(door, session_id) == before[1]
        assert json_of(await say(door, session_id, "After"))["session"]["turns"] == 2
        assert [message["content"] for message in asked(sim)[-1]["messages"]][2:] == ["After"]


async def _fail(door: Gateway, session_id: str, *, stream: bool) -> bytes:
    """Have a turn that must not succeed, and return what was received of its answer."""
    body = {"message": "During", "stream": stream, **LONG}
    received = b""
    async with door.http.stream("POST", f"{SESSIONS}/{session_id}/chat", json=body) as reply:
        with contextlib.suppress(httpx2.RemoteProtocolError):  # the connection is cut behind the error event
            async for piece in reply.aiter_raw():
                received += piece
    assert b'"error"' in received
    return received


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_takes_the_turn_along(stream: bool) -> None:
    """The replica stops, nothing is remembered, and the session is free at once."""
    async with fleet(fast(itl_ms=10)) as ([sim], door):
        session_id = await new(door)
        body = {"message": "x", "stream": stream, "max_tokens": 2000, "ignore_eos": True}
        async with asyncio.timeout(PATIENCE_S):
            leaving = asyncio.get_running_loop().create_task(_leave(door, session_id, body))
            await until(lambda: any(seen.first_token_at for seen in sim.log.requests))
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            await until(lambda: Outcome.CLIENT_GONE in door.parts.ledger.outcomes)
            await until(lambda: sim.log.in_flight == 0)
            answer = json_of(await say(door, session_id, "Again"))
        assert answer["session"]["turns"] == 1
        assert (await history(door, session_id))[0] == ("user", "Again")


async def _leave(door: Gateway, session_id: str, body: dict[str, object]) -> None:
    async with door.http.stream("POST", f"{SESSIONS}/{session_id}/chat", json=body) as reply:
        await reply.aread()


async def test_turns_of_one_session_wait_for_each_other() -> None:
    """Asked at once, they are answered in the order of their coming, each knowing all before it."""
    async with fleet() as ([sim], door):
        session_id, other = await new(door), await new(door)
        async with asyncio.TaskGroup() as turns:
            sim.wedge(is_wedged=True)
            for number in range(5):
                turns.create_task(say(door, session_id, str(number), stream=number % 2 == 0))
                await until(lambda: len(door.parts.ledger.live) == number + 1)  # noqa: B023 - waited for at once
            sim.wedge(is_wedged=False)
            turns.create_task(say(door, other))
        said = await history(door, session_id)
        own = [seen for seen in sim.log.requests if seen.target.endswith("/chat/completions")]
        lengths = sorted(len(body["messages"]) for body in asked(sim))
    assert [content for role, content in said if role == "user"] == ["0", "1", "2", "3", "4"]
    assert [role for role, _ in said] == ["user", "assistant"] * 5
    assert lengths == [1, 1, 3, 5, 7, 9]
    assert len(own) == 6


async def test_who_waits_too_long_is_told_so() -> None:
    """Behind one turn there is time to wait, behind two there is not: 409, and nothing of it is remembered."""
    async with fleet(session={"turn_wait_s": 1}) as ([sim], door):
        session_id = await new(door)
        sim.faults.add(["slow=0.2x1"])
        async with asyncio.TaskGroup() as turns:
            first = turns.create_task(say(door, session_id, "1"))
            await until(lambda: len(asked(sim)) == 1)
            sim.faults.add(["slow=1.5x1"])
            second = turns.create_task(say(door, session_id, "2"))
            await asyncio.sleep(0.03)
            third = turns.create_task(say(door, session_id, "3"))
        assert (first.result().status_code, second.result().status_code) == (200, 200)
        refused(third.result(), 409, code="session_busy")
        assert [content for role, content in await history(door, session_id) if role == "user"] == ["1", "2"]


async def test_a_session_that_is_deleted_during_a_turn_stays_deleted() -> None:
    """The answer cannot be kept any more, and does not bring the session back."""
    async with fleet(fast(itl_ms=5)) as ([sim], door):
        session_id = await new(door)
        turn = asyncio.get_running_loop().create_task(say(door, session_id, **LONG))
        await until(lambda: any(seen.first_token_at for seen in sim.log.requests))
        json_of(await door.http.delete(f"{SESSIONS}/{session_id}"))
        reply = await turn
        assert reply.status_code < 500
        refused(await door.http.get(f"{SESSIONS}/{session_id}"), 404, code="session_not_found")


@pytest.mark.parametrize("settings", [{}, {"session": {"max_context_tokens": 256}}], ids=["model", "setting"])
async def test_a_turn_that_can_never_fit_names_both_numbers(settings: dict[str, Any]) -> None:
    """413 with the tokens it needs and those there are, in the shape of each route; the session is as it was."""
    async with fleet(fast(max_model_len=4096 if settings else 256), **settings) as ([sim], door):
        session_id = await new(door)
        json_of(await say(door, session_id, "Short"))
        before = await state(door, session_id)
        text = "many words " * 200
        sentences = [refused(await say(door, session_id, text), 413, code="context_length_exceeded")]
        turn = {"session_id": session_id, "message": text, "max_tokens": 8}
        reply = await door.http.post("/chat", json=turn)
        assert reply.status_code == 413
        sentences.append(str(check_error(reply)[0]))
        after = await state(door, session_id)
        assert len(asked(sim)) == 1
    assert {**after, "expires_in": 0, "expires_at": 0, "last_used_at": 0} == {
        **before,
        "expires_in": 0,
        "expires_at": 0,
        "last_used_at": 0,
    }
    for sentence in sentences:
        needed, allowed = map(int, re.findall(r"\d+", sentence.replace(",", "")))
        assert needed > allowed == 256


async def test_a_long_conversation_never_gets_too_long() -> None:
    """500 turns in a model of 4,096 tokens: none fails, each fits, and no more is dropped than has to be."""
    async with fleet(fast(kv_blocks=1024)) as ([sim], door):
        session_id = await new(door, system_prompt="You tell a story without an end.")
        prompts = []
        for number in range(500):
            text = f"Turn {number}: " + "what happened then? " * (number % 7)
            turn = json_of(await say(door, session_id, text, max_tokens=32, ignore_eos=True))
            prompts.append(turn["usage"]["prompt_tokens"])
        last = asked(sim)[-1]["messages"]
        session = await state(door, session_id)
        places = json_of(await door.http.get(f"{SESSIONS}/{session_id}/messages?limit=1000"))["data"]
    assert max(prompts) <= 4096 - 32
    longest_turn = max(after - before for before, after in pairwise(prompts))
    assert min(prompts[-300:]) > 4096 - 32 - 2 * longest_turn
    assert last[0] == {"role": "system", "content": "You tell a story without an end."}
    assert (last[1]["role"], last[-1]["content"]) == ("user", text)
    assert (session["turns"], session["messages"], len(places)) == (500, 1000, 1000)
    assert session["usage"]["prompt_tokens"] == prompts[-1]
    assert session["messages_in_context"] == len(last) == sum(place["in_context"] for place in places)


async def test_a_count_that_the_answer_confirms_is_used_again() -> None:
    """The replica is asked once for the same prompt as long as its answers say the same number."""
    async with fleet() as ([sim], door):
        for _ in range(2):
            json_of(await say(door, await new(door), "Hello"))
        assert len(asked(sim, "/tokenize")) == 1
