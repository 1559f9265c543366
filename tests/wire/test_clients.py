"""The requests of the clients that `vllm-gateway connect` knows, sent as they send them."""

from typing import Any

import pytest

from tests.gateway import gateway
from tests.scripted import Visit, as_replica, scripted
from tests.wire.clients import BEARER, CALLS, CLAUDE_QUESTION, CODEX_QUESTION, KEY, LISTINGS, MODEL, Call
from tests.wire.sims import asked, fast, fleet
from vllm_gateway import codec
from vllm_gateway.connect.clients import CLIENTS

AUTH = {"mode": "keys", "client_keys": [KEY]}


def test_every_client_has_its_requests() -> None:
    """A snippet without a test of what it leads to is a guess; and each route that a client is said to use is tried."""
    tried = {(call.client, call.path.partition("?")[0]) for call in (*CALLS, *LISTINGS)}
    said = {(client.name, route) for client in CLIENTS.values() for route in client.calls}
    assert said - tried == set()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_a_client_gets_a_whole_answer(call: Call) -> None:
    """With the key where the client puts it, and an end that the client takes for one."""
    async with fleet(fast(), auth=AUTH) as (_, door):
        answer = await door.http.post(call.path, json=call.body, headers=call.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-request-id"]
    if call.ends:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.text.endswith(call.ends)
    for member in call.members:
        assert member in answer.json()


@pytest.mark.parametrize("call", LISTINGS, ids=lambda call: call.name)
async def test_a_client_reads_the_models(call: Call) -> None:
    """Each in the shape that it expects, with the model that answers."""
    async with fleet(fast(), auth=AUTH) as (_, door):
        answer = await door.http.get(call.path, headers=call.headers)
    assert answer.status_code == 200, answer.text
    listing = answer.json()
    assert set(call.members) <= listing.keys()
    assert MODEL in [row.get("id") or row.get("slug") for row in listing.get("models") or listing["data"]]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_a_client_without_its_key_is_refused_in_its_own_shape(call: Call) -> None:
    """Its user reads the sentence, not a dump of something unknown."""
    bare = {name: value for name, value in call.headers.items() if name not in {"authorization", "x-api-key"}}
    async with fleet(fast(), auth=AUTH) as (_, door):
        answer = await door.http.post(call.path, json=call.body, headers=bare)
    assert answer.status_code == 401
    assert "API key" in answer.json()["error"]["message"]
    assert ("type" in answer.json()) is call.path.startswith("/v1/messages")


async def test_what_claude_code_changes_every_time_never_reaches_the_replica() -> None:
    """Its billing line would keep the prefix cache from ever matching; everything else passes."""
    call = next(call for call in CALLS if call.name == "claude-code: a question")
    async with fleet(fast(), auth=AUTH) as ((sim,), door):
        answer = await door.http.post(call.path, json=call.body, headers=call.headers)
        (body,) = asked(sim, "/v1/messages")
    assert body["system"] == CLAUDE_QUESTION["system"][1:]
    assert {name: body[name] for name in ("messages", "metadata")} == {
        name: CLAUDE_QUESTION[name] for name in ("messages", "metadata")
    }
    events = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert (events[0], events[-1]) == ("message_start", "message_stop")


async def test_codex_hears_of_one_response_from_its_beginning_to_its_end() -> None:
    """It falls over without the last event, and over ids that differ."""
    call = next(call for call in CALLS if call.name == "codex: a question")
    async with fleet(fast(), auth=AUTH) as (_, door):
        answer = await door.http.post(call.path, json=call.body, headers=call.headers)
    events: list[dict[str, Any]] = [
        codec.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: {")
    ]
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert len({each["response"]["id"] for each in (events[0], events[-1])}) == 1
    added = [event["item"]["id"] for event in events if event["type"] == "response.output_item.added"]
    assert added == [item["id"] for item in events[-1]["response"]["output"]]


async def test_codex_goes_on_by_http_where_a_websocket_is_refused() -> None:
    """Some versions ask for one first: a plain 404 or 405 makes them try again without."""
    upgrade = {**BEARER, "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    upgrade["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    async with fleet(fast(), auth=AUTH) as (_, door):
        answer = await door.http.get("/v1/responses", headers=upgrade)
    assert answer.status_code in {404, 405, 426}


def event(kind: str, **more: Any) -> bytes:  # noqa: ANN401 - any member of an event
    """Return an event as Anthropic's clients read it."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), codec.dumps({"type": kind, **more}))


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:  # noqa: ANN401 - as above
    """Return a chunk as OpenAI's clients read it."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    return b"data: %s\n\n" % codec.dumps({**head, "choices": choices, **more})


def delta(finish: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return the choice of a chunk."""
    return {"index": 0, "delta": more, "finish_reason": finish}


TOOL = {"name": "read", "description": "Reads a file.", "input_schema": {"type": "object", "properties": {}}}
_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "scripted"}
_BLOCK = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}
TOOL_EVENTS = (
    event("message_start", message={**_MESSAGE, "usage": {"input_tokens": 9, "output_tokens": 0}}),
    event("content_block_start", index=0, content_block=_BLOCK),
    event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": "{}"}),
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 5}),
    event("message_stop"),
)
_CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "read", "arguments": ""}}
CHAT_TOOL_EVENTS = (
    chunk(delta(role="assistant", tool_calls=[_CALL])),
    chunk(delta(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}])),
    chunk(delta("tool_calls")),
    chunk(usage={"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}),
    b"data: [DONE]\n\n",
)
WITH_TOOLS = (
    ("/v1/messages?beta=true", {**CLAUDE_QUESTION, "model": "scripted", "tools": [TOOL]}, TOOL_EVENTS),
    (
        "/v1/chat/completions",
        {
            "model": "scripted",
            "messages": [{"role": "user", "content": "Read it."}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}],
        },
        CHAT_TOOL_EVENTS,
    ),
)


@pytest.mark.parametrize(("path", "body", "events"), WITH_TOOLS, ids=["claude-code", "cline, zed and others"])
async def test_calls_of_tools_pass_as_they_are(path: str, body: dict[str, Any], events: tuple[bytes, ...]) -> None:
    """The tools reach the replica, and its calls of them the client, byte for byte."""
    reached: list[dict[str, Any]] = []

    async def answer(visit: Visit, request: bytes) -> None:
        reached.append(codec.loads(request.partition(b"\r\n\r\n")[2]))
        await visit.say_stream_head()
        await visit.say_events(*events, is_last=True)

    async with scripted(as_replica(answer)) as replica, gateway(replica.url, auth=AUTH) as door:
        heard = await door.http.post(path, json=body, headers=BEARER)
    assert heard.content == b"".join(events)
    assert reached[0]["tools"] == body["tools"]


async def test_codex_is_told_of_its_tools() -> None:
    """They reach a replica that offers the Responses API."""
    async with fleet(fast(), auth=AUTH) as ((sim,), door):
        await door.http.post("/v1/responses", json=CODEX_QUESTION, headers=BEARER)
        (body,) = asked(sim, "/v1/responses")
    assert body["tools"] == CODEX_QUESTION["tools"]
