"""Streams whose replica dies over real sockets, and that another one tells again from the beginning."""

import asyncio
from typing import Any

import pytest

from tests.gateway import gateway
from tests.scripted import MODEL, Visit, as_replica, scripted
from tests.sim.quick import events
from tests.wire.breaking import BODIES, CHAT, MESSAGES, REPLAYED, TOKENS, Fleet, fragile, is_broken, told
from vllm_gateway import codec
from vllm_gateway.outcomes import Outcome


@pytest.mark.parametrize("kind", REPLAYED)
@pytest.mark.parametrize("fault", ["reset@7", "error@1", "abort@23", "cut=char@3"])
async def test_what_cannot_go_on_by_ids_is_heard_again(kind: str, fault: str) -> None:
    """The same request runs again, and the caller hears what is new of it."""
    async with fragile() as run:
        body = BODIES[CHAT] | REPLAYED[kind]
        wanted = told(await run.stream(CHAT, body))
        got = told(await run.stream(CHAT, body, fault))
        assert run.asked() == [CHAT, CHAT]
        assert run.door.parts.ledger.outcomes == {Outcome.OK: 1, Outcome.OK_RESUMED: 1}
    assert got == wanted
    assert got["streams"] == 1


async def test_log_probabilities_are_told_once_each() -> None:
    """A stream that was heard again has one entry for every token."""
    async with fragile() as run:
        body = BODIES[CHAT] | REPLAYED["logprobs"]
        streams = [events(await run.stream(CHAT, body, *faults)) for faults in ([], ["reset@7"])]
    noted = [
        [entry for chunk in stream if "choices" in chunk for each in chunk["choices"] for entry in entries_of(each)]
        for stream in streams
    ]
    assert len(noted[0]) == TOKENS
    assert noted[0] == noted[1]


def entries_of(choice: dict[str, Any]) -> list[Any]:
    """Return the log probabilities of a chunk's tokens."""
    return (choice["logprobs"] or {}).get("content") or []


CALL = {
    "model": MODEL,
    "messages": MESSAGES["messages"],
    "tools": [{"type": "function", "function": {"name": "find"}}],
    "temperature": 0,
    "stream": True,
}


def called(number: int, *arguments: str, finish: str | None = None) -> list[bytes]:
    """Return the chunks of an answer that calls a tool, as one replica cuts and names them."""
    call = {"index": 0, "id": f"call_{number}", "type": "function", "function": {"name": "find", "arguments": ""}}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, {"tool_calls": [call]}]
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in arguments]
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices += [{"index": 0, "delta": {}, "finish_reason": finish}] if finish else []
    same: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": number,
        "model": MODEL,
    }
    return [b"data: " + codec.dumps(same | {"choices": [choice]}) + b"\n\n" for choice in choices]


@pytest.mark.parametrize("rest", ['{"a": [1, 2]}', '{"b": [1, 2]}'])
async def test_a_tool_call_goes_on_under_its_first_id(rest: str) -> None:
    """Its arguments are those of the uninterrupted call; other ones than were told end with an error event."""
    asked_in_turn: list[bytes] = []

    async def play(visit: Visit, request: bytes) -> None:
        asked_in_turn.append(request)
        await visit.say_stream_head()
        if len(asked_in_turn) == 1:
            await visit.say_events(*called(1, '{"a"', ": ["))
            await asyncio.sleep(0.05)  # a reset may overtake what was said before it
            visit.reset()
        else:
            whole = called(2, rest[:2], rest[2:9], rest[9:], finish="tool_calls")
            await visit.say_events(*whole, b"data: [DONE]\n\n", is_last=True)

    async with (
        scripted(as_replica(play)) as one,
        scripted(as_replica(play)) as two,
        gateway(one.url, two.url, probe={"every_s": 600}) as door,
    ):
        stream = await Fleet([], door).stream(CHAT, CALL)
    chunks = [chunk for chunk in events(stream) if chunk != "[DONE]"]
    calls = [
        call for chunk in chunks for each in chunk.get("choices", ()) for call in each["delta"].get("tool_calls", ())
    ]
    arguments = "".join(call["function"].get("arguments", "") for call in calls)
    assert [call["id"] for call in calls if "id" in call] == ["call_1"]
    assert [call["function"]["name"] for call in calls if "name" in call["function"]] == ["find"]
    assert len(asked_in_turn) == 2
    if rest.startswith('{"a"'):
        assert (arguments, told(stream)["ends"], told(stream)["done"]) == (rest, [(0, "tool_calls")], 1)
        assert {chunk["id"] for chunk in chunks} == {"chatcmpl-1"}
    else:
        assert (arguments, is_broken(stream)) == ('{"a": [', True)
