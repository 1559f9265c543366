"""A deny-list over real sockets: what is asked reaches no replica, what is answered no caller."""

import contextlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.gateway import Gateway, gateway
from tests.scripted import MODEL, Visit, as_replica, scripted
from tests.waiting import until
from tests.wire.sims import asked, fleet
from tests.wire.talking import SESSIONS, new, say
from vllm_gateway import codec
from vllm_gateway.dialects.pieces import pieces_of
from vllm_gateway.dialects.sse import payloads

CHAT = "/v1/chat/completions"
USER = [{"role": "user", "content": "Tell me a story"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": USER, "max_tokens": 60},
    "/v1/completions": {"prompt": "Tell me a story", "max_tokens": 60},
    "/v1/responses": {"input": "Tell me a story", "max_output_tokens": 60, "store": False},
    "/v1/messages": {"messages": USER, "max_tokens": 60},
}
ROUTES = pytest.mark.parametrize("path", BODIES)
WINDOW = 16


def said_in(answer: dict[str, Any]) -> str:
    """Return the text of an answer in one piece, from whichever route."""
    if "choices" in answer:
        choice = answer["choices"][0]
        return str(choice["text"] if "text" in choice else choice["message"]["content"])
    blocks = answer["content"] if "content" in answer else answer["output"][0]["content"]
    return str(blocks[0]["text"])


def streamed_in(events: bytes) -> str:
    """Return the text of a stream."""
    pieces = [pieces_of(codec.loads(payload)) for payload in payloads(events)]
    return "".join(text for each in pieces for _, text in each.strands)


def late_word(text: str) -> str:
    """Return the word whose first appearance is the last one, so that much of a stream comes before it."""
    words = {word: re.search(rf"\b{word}\b", text) for word in re.findall(r"\b[a-z]{3,}\b", text)}
    return str(max(words, key=lambda word: found.start() if (found := words[word]) else 0))


async def streamed(door: Gateway, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
    """Ask for a stream; return its status and all that came of it, be it whole or cut off."""
    events = b""
    async with door.http.stream("POST", path, json={**body, "stream": True}) as reply:
        with contextlib.suppress(httpx2.RemoteProtocolError):
            async for part in reply.aiter_bytes():
                events += part
    return reply.status_code, events


async def answer_to(path: str) -> str:
    """Return what a sim says to the body of a route."""
    async with fleet() as (_, door):
        reply = await door.http.post(path, json={"model": "sim-small", **BODIES[path]})
    assert reply.status_code == 200
    return said_in(reply.json())


@asynccontextmanager
async def denying(*words: str, **rules: object) -> AsyncIterator[tuple[Any, Gateway]]:
    """Run a sim, and a gateway that denies these words in answers too."""
    chosen = {"deny_words": words, "deny_output": True, "deny_window": WINDOW, **rules}
    async with fleet(rules=chosen) as ([sim], door):
        yield sim, door


@ROUTES
async def test_a_denied_word_reaches_no_replica(path: str) -> None:
    """It is refused with 400 in the shape of the route, and the answer does not say it again."""
    async with denying("STORY", deny_output=False) as (sim, door):
        reply = await door.http.post(path, json={"model": "sim-small", **BODIES[path]})
        assert not asked(sim, path)
    assert reply.status_code == 400
    assert "rules of this gateway" in reply.json()["error"]["message"]
    assert b"story" not in reply.content.lower()


@ROUTES
async def test_a_harmless_answer_is_the_same_as_without_a_list(path: str) -> None:
    """In one piece and streamed, the same words arrive."""
    text = await answer_to(path)
    async with denying("unheardof") as (_, door):
        body = {"model": "sim-small", **BODIES[path]}
        whole = await door.http.post(path, json=body)
        _, events = await streamed(door, path, body)
    assert said_in(whole.json()) == text
    assert streamed_in(events) == text


@ROUTES
async def test_a_denied_word_is_not_answered(path: str) -> None:
    """An answer in one piece is refused; a stream ends with one error event before the word."""
    text = await answer_to(path)
    word = late_word(text)
    async with denying(word) as (sim, door):
        body = {"model": "sim-small", **BODIES[path]}
        whole = await door.http.post(path, json=body)
        status, events = await streamed(door, path, body)
        assert len(asked(sim, path)) == 2
        [replica] = door.parts.pool.replicas
        assert replica.health.failures == 0
    assert whole.status_code == 400
    assert word not in whole.text
    *before, last = payloads(events)
    out = streamed_in(b"".join(b"data: " + each + b"\n\n" for each in before))
    assert status == 200
    assert out
    assert text.startswith(out)
    assert not re.search(rf"\b{word}", out)
    assert "rules of this gateway" in str(codec.loads(last))
    assert b"[DONE]" not in events


async def test_a_turn_with_a_denied_answer_is_not_kept() -> None:
    """A session is as it was before, streamed or not; the next turn is answered."""
    async with fleet() as (_, door):
        session = await new(door)
        text = (await say(door, session, max_tokens=60)).json()["choices"][0]["message"]["content"]
    async with denying(late_word(text)) as (_, door):
        session = await new(door)
        assert (await say(door, session, max_tokens=60)).status_code == 400
        path = f"{SESSIONS}/{session}/chat"
        _, events = await streamed(door, path, {"message": "Hello", "max_tokens": 60})
        assert events.count(b'"error"') == 1
        assert (await say(door, session, "harmless", max_tokens=1)).json()["session"]["turns"] == 1


async def test_the_replica_is_told_to_stop_and_not_blamed() -> None:
    """Its connection is closed as soon as the word is found; no other replica is asked, and it stays healthy."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        for letter in "a harmless beginning, and a bomb. " * 2:
            await visit.say_events(
                b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n' % letter.encode()
            )
        await visit.until_closed()

    async with (
        scripted(as_replica(answer)) as first,
        scripted(as_replica(answer)) as second,
        gateway(first.url, second.url, rules={"deny_words": ["bomb"], "deny_output": True}) as door,
    ):
        reply = await door.http.post(CHAT, json={"model": MODEL, "messages": USER, "stream": True})
        await until(lambda: any(visit.closed_at for visit in [*first.visits, *second.visits]))
        assert [replica.health.failures for replica in door.parts.pool.replicas] == [0, 0]
    assert "bo" not in reply.text.split("error")[0]
    assert reply.json()["error"]["code"] == "content_policy_violation"


async def test_a_pattern_that_takes_others_for_ever_takes_no_time() -> None:
    """A megabyte that nearly matches `(a+)+b$` is refused for its last letter within a second of work."""
    async with denying(deny_patterns=["(a+)+b$", "!$"]) as (_, door):
        began = time.process_time()
        reply = await door.http.post(CHAT, json={"messages": [{"role": "user", "content": "a" * 1_000_000 + "!"}]})
        took_s = time.process_time() - began
    assert reply.status_code == 400
    assert took_s < 1


async def test_what_a_session_is_told_first_is_looked_at_too() -> None:
    """A system prompt is refused when it is given or changed, and the session keeps what it had."""
    async with denying(deny_words=["bomb"]) as (_, door):
        begun = await door.http.post(SESSIONS, json={"system_prompt": "You know every bomb."})
        session = await new(door, system_prompt="You are harmless.")
        changed = await door.http.patch(f"{SESSIONS}/{session}", json={"system_prompt": "Now a bomb."})
        kept = (await door.http.get(f"{SESSIONS}/{session}")).json()
        first = (await door.http.post("/init_session", json={"vllm_api_key": "EMPTY"})).json()["session_id"]
        told = await door.http.post("/set_system_prompt", json={"session_id": first, "system_prompt": "A bomb."})
    assert [begun.status_code, changed.status_code, told.status_code] == [400, 400, 400]
    assert kept["system_prompt"] == "You are harmless."
