"""The Responses API with what the gateway keeps, asked by OpenAI's own library, over replicas that keep nothing."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses import (
    Response,
    ResponseFunctionToolCallParam,
    ResponseInputParam,
    ResponseStreamEvent,
)
from openai.types.responses.response_input_item_param import FunctionCallOutput

from tests.gateway import Gateway
from tests.waiting import PATIENCE_S, until
from tests.wire.documented import json_of
from tests.wire.sims import asked, fast, fleet
from tests.wire.talking import refused
from vllm_gateway import codec
from vllm_gateway.outcomes import Outcome
from vllm_gateway.sim import RunningSim, SimSettings

MODEL = "sim-small"
RESPONSES = "/v1/responses"
KEYS = {"mode": "keys", "client_keys": ("client-key-1", "client-key-2")}
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": 'Says "previous_response_id":null now and then.',
    "parameters": {"type": "object", "properties": {"previous_response_id": {"type": "string"}}},
    "strict": False,
}
CALL: ResponseFunctionToolCallParam = {
    "type": "function_call",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city": "Rome"}',
}
RESULT: FunctionCallOutput = {"type": "function_call_output", "call_id": "call_1", "output": "Sunny"}
CODEX = {
    "model": MODEL,
    "instructions": "You are a coding agent.",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Sandboxed."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List the files."}]},
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": None},
        CALL,
        RESULT,
    ],
    "tools": [WEATHER],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199f1a2-0000-7000-8000-000000000000",
    "text": {"verbosity": "low"},
}
"""What a coding agent sends, field by field."""


@asynccontextmanager
async def talking(
    *kinds: SimSettings,
    **settings: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[tuple[list[RunningSim], Gateway, openai.AsyncOpenAI]]:
    """Run two replicas or others, a gateway before them, and a client."""
    async with AsyncExitStack() as stack:
        sims, door = await stack.enter_async_context(fleet(*(kinds or (fast(), fast())), **settings))
        client = openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="client-key-1", max_retries=0)
        yield sims, door, await stack.enter_async_context(client)


async def create(client: openai.AsyncOpenAI, said: str | ResponseInputParam, **more: Any) -> Response:  # noqa: ANN401 - any field
    """Have a short answer in one piece."""
    response = await client.responses.create(model=MODEL, input=said, max_output_tokens=8, **more)
    assert isinstance(response, Response)
    return response


async def stream(client: openai.AsyncOpenAI, said: str, **more: Any) -> list[ResponseStreamEvent]:  # noqa: ANN401 - any field
    """Have a short answer event by event."""
    events = await client.responses.create(model=MODEL, input=said, max_output_tokens=8, stream=True, **more)
    return [event async for event in events]


def tokens(response: Response) -> int:
    """Return how long the prompt was."""
    assert response.usage is not None
    return response.usage.input_tokens


def bodies(sims: list[RunningSim]) -> list[dict[str, Any]]:
    """Return what the replicas were asked, in no order."""
    return [body for sim in sims for body in asked(sim, RESPONSES)]


def texts(body: dict[str, Any]) -> list[str]:
    """Return what is said in a body, item by item."""
    contents = [item["content"] for item in body["input"]]
    return [content if isinstance(content, str) else content[0]["text"] for content in contents]


async def unknown(client: openai.AsyncOpenAI, response_id: str) -> None:
    """Check that nothing can be done with a response."""
    with pytest.raises(openai.NotFoundError) as caught:
        await create(client, "Go on", previous_response_id=response_id)
    assert caught.value.code == "response_not_found"
    for call in (client.responses.retrieve, client.responses.input_items.list, client.responses.delete):
        with pytest.raises(openai.NotFoundError) as caught:
            await call(response_id)
        assert caught.value.code == "response_not_found"


async def test_a_conversation_goes_on_from_a_response() -> None:
    """The replica that answered last is asked first, and any other knows as much: all that was said and answered."""
    async with talking() as (sims, _, client):
        first = await create(client, "What is one?", instructions="Be brief.")
        answered_first = next(sim for sim in sims if asked(sim, RESPONSES))
        second = await create(client, "And two?", previous_response_id=first.id)
        assert len(asked(answered_first, RESPONSES)) == 2
        asked_before = bodies(sims)
        answered_first.faults.add(["status=503/v1/responses"])
        third = await create(client, "And three?", previous_response_id=second.id)
        (other,) = [sim for sim in sims if sim is not answered_first]
        by_length = [*asked_before, *asked(other, RESPONSES)]
    assert tokens(first) < tokens(second) < tokens(third)
    assert (first.previous_response_id, second.previous_response_id) == (None, first.id)
    assert third.previous_response_id == second.id
    assert len({first.id, second.id, third.id}) == 3
    said = ["What is one?", first.output_text, "And two?", second.output_text, "And three?"]
    assert by_length[0]["input"] == "What is one?"
    assert texts(by_length[1]) == said[:3]
    assert texts(by_length[2]) == said
    assert [item["role"] for item in by_length[2]["input"]] == ["user", "assistant", "user", "assistant", "user"]
    assert all(body["store"] is False and not body.get("previous_response_id") for body in by_length)
    assert ["instructions" in body for body in by_length] == [True, False, False]


async def test_a_conversation_branches() -> None:
    """Two answers may go on from the same one, and know nothing of each other."""
    async with talking() as (sims, _, client):
        first = await create(client, "One")
        left, right = [await create(client, said, previous_response_id=first.id) for said in ("Left", "Right")]
        await create(client, "On", previous_response_id=left.id)
        longest = max(bodies(sims), key=lambda body: len(body["input"]))
    assert left.previous_response_id == right.previous_response_id == first.id
    assert texts(longest) == ["One", first.output_text, "Left", left.output_text, "On"]


async def test_a_stored_response_is_found_again() -> None:
    """As it was answered, with what was said to get it, until it is deleted."""
    async with talking() as (_, door, client):
        first = await create(client, "Hello", metadata={"topic": "greeting"})
        second = await create(client, [{"role": "user", "content": "More"}], previous_response_id=first.id)
        for response in (first, second):
            assert await client.responses.retrieve(response.id) == response
        items = (await client.responses.input_items.list(second.id)).data
        raw = json_of(await door.http.get(f"{RESPONSES}/{second.id}/input_items"))
        deleted = await client.responses.with_raw_response.delete(first.id)
        await unknown(client, first.id)
        assert (await client.responses.retrieve(second.id)).id == second.id
    assert codec.loads(deleted.content) == {"id": first.id, "object": "response", "deleted": True}
    assert [item.type for item in items] == ["message"]
    assert (raw["object"], raw["has_more"], raw["data"][0]["content"][0]["text"]) == ("list", False, "More")
    assert raw["first_id"] == raw["last_id"] == raw["data"][0]["id"]


async def test_what_is_not_to_be_stored_is_not() -> None:
    """With `store: false` the answer is the same, and cannot be gone on from; it may go on from another."""
    async with talking() as (sims, _, client):
        stored = await create(client, "Hello")
        passing = await create(client, "Hello", store=False)
        following = await create(client, "More", store=False, previous_response_id=stored.id)
        await unknown(client, passing.id)
        await unknown(client, following.id)
        await unknown(client, "resp_0123456789abcdef")
        asked_for = bodies(sims)
    assert passing.output_text == stored.output_text
    assert following.previous_response_id == stored.id
    assert tokens(following) > tokens(stored)
    assert len(asked_for) == 3


async def test_a_stream_is_kept_as_it_was_told() -> None:
    """Numbered events from created to completed, the previous response in each that tells it, and the same one kept."""
    async with talking() as (_, _, client):
        first = (await stream(client, "Hello", tools=[WEATHER]))[-1]
        assert first.type == "response.completed"
        events = await stream(client, "More", previous_response_id=first.response.id, tools=[WEATHER])
        assert events[-1].type == "response.completed"
        kept = await client.responses.retrieve(events[-1].response.id)
        third = await create(client, "On", previous_response_id=kept.id)
    types = [event.type for event in events]
    assert types[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert types.count("response.output_text.delta") > 0
    assert [event.sequence_number for event in events] == list(range(len(events)))
    told = [event.response for event in events if hasattr(event, "response")]
    assert [response.previous_response_id for response in told] == [first.response.id] * 3
    assert kept == events[-1].response
    assert kept.tools[0].to_dict()["parameters"] == WEATHER["parameters"]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == kept.output_text
    assert tokens(third) > tokens(kept) > tokens(first.response)


async def test_the_end_comes_after_the_response_was_stored() -> None:
    """Who goes on at once, on a connection of its own, finds the response before it."""
    async with talking(fast(itl_ms=1), fast(itl_ms=1)) as (sims, door, _):
        previous = None
        for number in range(10):
            body = {"model": MODEL, "input": str(number), "max_output_tokens": 4, "stream": True}
            async with door.http.stream("POST", RESPONSES, json=body | {"previous_response_id": previous}) as reply:
                async for line in reply.aiter_lines():
                    if line.endswith('"type":"response.completed"}'):
                        previous = codec.loads(line.removeprefix("data: "))["response"]["id"]
                        json_of(await door.http.get(f"{RESPONSES}/{previous}"))
        longest = max(bodies(sims), key=lambda body: len(body["input"]))
    assert len(longest["input"]) == 19


async def test_calls_and_their_results_go_on() -> None:
    """The result of a tool is all that an agent sends; the call before it comes from what is kept."""
    async with talking() as (sims, _, client):
        first = await create(client, [{"role": "user", "content": "Weather?"}, CALL], tools=[WEATHER])
        second = await create(client, [RESULT], previous_response_id=first.id, tools=[WEATHER])
        longest = max(bodies(sims), key=lambda body: len(body["input"]))
    assert tokens(second) > tokens(first)
    assert longest["input"][:2] == [{"role": "user", "content": "Weather?"}, CALL]
    assert longest["input"][-1] == RESULT


async def test_other_callers_find_nothing() -> None:
    """With another key a response is as unknown as one that never was."""
    async with talking(auth=KEYS) as (sims, door, client):
        first = await create(client, "Hello")
        stranger = openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="client-key-2", max_retries=0)
        async with stranger:
            await unknown(stranger, first.id)
        assert (await client.responses.retrieve(first.id)).id == first.id
        assert (await door.http.get(f"{RESPONSES}/{first.id}")).status_code == 401
        assert len(bodies(sims)) == 1


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("fault", ["status=500", "reset@3", "eof@3", "stall@3", "error@3"])
async def test_a_failed_answer_is_not_kept(fault: str, is_stream: bool) -> None:
    """Whatever breaks, and in either form: no end is told, and what was begun cannot be gone on from."""
    timeouts = {"first_token_s": 0.2, "idle_s": 0.2, "total_s": 0.3}
    async with talking(fast(), timeouts=timeouts) as ([sim], door, client):
        sim.faults.add([f"{fault}/v1/responses"])
        body = {"model": MODEL, "input": "x", "max_output_tokens": 30, "stream": is_stream}
        received = b""
        async with door.http.stream("POST", RESPONSES, json=body) as reply:
            with suppress(httpx2.RemoteProtocolError):  # the connection is cut behind the error event
                async for piece in reply.aiter_raw():
                    received += piece
        await sim.faults.clear()
        assert b"error" in received
        assert b"response.completed" not in received
        for begun in set(re.findall(rb'"id":"(resp_\w+)"', received)):
            await unknown(client, begun.decode())


async def test_a_caller_who_leaves_keeps_nothing() -> None:
    """The replica stops, and the response that was begun is unknown."""
    async with talking(fast(itl_ms=10)) as ([sim], door, client):
        begun = await client.responses.create(
            model=MODEL, input="x", max_output_tokens=2000, stream=True, extra_body={"ignore_eos": True}
        )
        created = await anext(aiter(begun))
        assert created.type == "response.created"
        async with asyncio.timeout(PATIENCE_S):
            await begun.close()
            await until(lambda: Outcome.CLIENT_GONE in door.parts.ledger.outcomes)
            await until(lambda: sim.log.in_flight == 0)
        await unknown(client, created.response.id)


async def test_what_a_coding_agent_sends() -> None:
    """A dozen fields and nothing to keep: the bytes reach the replica as they are, and the stream comes whole."""
    async with talking(fast()) as ([sim], door, _):
        reply = await door.http.post(RESPONSES, content=codec.dumps(CODEX))
        (seen,) = [seen for seen in sim.log.requests if seen.target == RESPONSES]
    assert reply.status_code == 200
    assert seen.body == codec.dumps(CODEX)
    assert reply.text.rpartition("event: ")[2].startswith("response.completed\n")


async def test_a_caller_cannot_name_what_is_kept() -> None:
    """Two requests of one name are two responses; a name of the caller's own reaches no replica."""
    async with talking() as (_, _, client):
        ids = [(await create(client, "x", extra_body={"request_id": "mine"})).id for _ in range(2)]
        passing = await create(client, "x", store=False, extra_body={"request_id": "mine"})
        assert [(await client.responses.retrieve(each)).id for each in ids] == ids
    assert len({*ids, passing.id, "mine"}) == 4


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"store": "yes"}, "store"),
        ({"input": 5}, "input"),
    ],
)
async def test_what_is_not_supported_is_refused(fields: dict[str, object], param: str) -> None:
    """400 that names the field; no replica is asked."""
    async with talking() as (sims, door, _):
        reply = await door.http.post(RESPONSES, json={"model": MODEL, "input": "x", **fields})
        refused(reply, 400, param=param)
        assert bodies(sims) == []


async def test_a_stored_response_cannot_be_cancelled_or_streamed_again() -> None:
    """400 in a clear sentence, and the response is as it was."""
    async with talking() as (_, door, client):
        first = await create(client, "Hello")
        refused(await door.http.post(f"{RESPONSES}/{first.id}/cancel"), 400)
        refused(await door.http.get(f"{RESPONSES}/{first.id}?stream=true"), 400, param="stream")
        assert await client.responses.retrieve(first.id) == first
