"""The door sends each path where it belongs."""

import pytest

from tests.gateway import gateway, raw
from tests.scripted import MODEL, Visit, as_replica, scripted
from tests.wire.sims import fast, fleet
from tests.wire.talking import SESSIONS, new, refused
from vllm_gateway import codec
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.edge.house.openapi import PAGES

OPERATIONS = build_operations(max_json_depth=64)
ANSWER = codec.dumps(
    {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        "count": 1,
        "max_model_len": 64,
        "id": "resp_1",
        "status": "completed",
    }
)
"""An answer to anything."""


@pytest.mark.parametrize("path", OPERATIONS)
async def test_every_operation_reaches_a_replica(path: str) -> None:
    """VLLM's own routes by their own path, the others by the route that their body is translated for."""
    seen: list[str] = []

    async def answer(visit: Visit, request: bytes) -> None:
        seen.append(request.split(b" ")[1].decode())
        await visit.say_json(ANSWER)

    body = {**PAGES[path].example, "model": MODEL, "max_tokens": 8}
    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        session_id = await new(door)
        reply = await door.http.post(path.replace("{id}", session_id), json=body)
    assert reply.status_code == 200, reply.text
    assert seen[-1] == OPERATIONS[path].read(codec.dumps(body)).path
    assert len(seen) == 1 or path.startswith(SESSIONS)


@pytest.mark.parametrize(
    "path", [f"{SESSIONS}//chat", f"{SESSIONS}/a/b/chat", f"{SESSIONS}/chat", f"{SESSIONS}/a/chat/"]
)
async def test_a_path_that_names_nothing_is_no_route(path: str) -> None:
    """What a pattern names is one part of the path, and is not empty."""
    async with fleet() as (_, door):
        reply = await door.http.post(path, json={"message": "Hello"})
    assert reply.status_code in {404, 405}


async def test_an_escaped_slash_names_nothing_else() -> None:
    """It is a part of the path like any other, and no way to another session."""
    async with fleet() as (_, door):
        session_id = await new(door)
        reply = await door.http.post(f"{SESSIONS}/x%2F{session_id}/chat", json={"message": "Hello"})
    assert reply.status_code == 404


async def test_a_query_does_not_change_the_route() -> None:
    """Claude Code adds `?beta=true`."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(b"{}")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.post("/v1/messages?beta=true", json={"model": MODEL})
    assert reply.status_code == 200


async def test_a_websocket_is_refused_as_any_wrong_method() -> None:
    """Codex tries a WebSocket first and goes on with POST when it is told no."""
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "x", "sec-websocket-version": "13"}

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(ANSWER)

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.get("/v1/responses", headers=headers)
        assert reply.status_code == 405
        after = await door.http.post("/v1/responses", json={"model": MODEL, "input": "Hi"})
        assert after.status_code == 200


async def test_a_wrong_method_is_told_in_the_routes_own_shape() -> None:
    """Anthropic's route answers in Anthropic's way."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(b"{}")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.get("/v1/messages")
    assert (reply.status_code, reply.json()["type"]) == (405, "error")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_a_turn_is_only_ever_posted(method: str) -> None:
    """A route that names a session refuses other methods in OpenAI's shape, and says which one is right."""
    async with fleet() as (_, door):
        reply = await door.http.request(method, f"{SESSIONS}/sess_1/chat")
    refused(reply, 405, code="method_not_allowed")
    assert reply.headers["allow"] == "POST"


@pytest.mark.parametrize(("path", "in_detail"), [(SESSIONS, False), ("/init_session", True)])
async def test_a_body_of_another_kind_does_not_enter(path: str, *, in_detail: bool) -> None:
    """A form is refused on the gateway's own routes too, each in the shape of its clients."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    async with fleet() as (_, door):
        reply = await door.http.post(path, content=b"title=x", headers=form)
        unannounced = await door.http.post(path, content=b'{"vllm_api_key":"k"}' if in_detail else b'{"title":"x"}')
    assert (reply.status_code, reply.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert ("detail" in reply.json()) is in_detail
    assert unannounced.status_code in {200, 201}


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_over_the_limit_does_not_enter(is_announced: bool) -> None:
    """The gateway's own routes read no more than the others do, whether or not the length is told before."""
    body = b'{"system_prompt":"%s"}' % (b"x" * 2000)
    framed = b"content-length: %d\r\n\r\n%s" % (len(body), body)
    if not is_announced:
        framed = b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    async with fleet(fast(), limits={"max_body_bytes": 1024}) as (_, door):
        request = b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        reply = await raw(door.port, request + b"content-type: application/json\r\n" + framed)
        fits = await door.http.post(SESSIONS, json={"title": "x"})
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b'"body_too_large"' in reply
    assert fits.status_code == 201


async def test_every_reply_of_the_house_names_its_request() -> None:
    """A safe name of the caller's is kept, another is replaced; once in each reply, errors included."""
    async with fleet() as (_, door):
        for path in ("/health", SESSIONS, "/v1/models", "/what", "/docs"):
            kept = await door.http.get(path, headers={"x-request-id": "my-request-1"})
            made = await door.http.get(path, headers={"x-request-id": "no"})
            assert kept.headers.get_list("x-request-id") == ["my-request-1"], path
            assert len(made.headers["x-request-id"]) == 32, path
