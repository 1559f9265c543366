"""The door sends each path where it belongs."""

import httpx2

from tests.gateway import gateway
from tests.scripted import MODEL, Visit, as_replica, scripted
from vllm_gateway.dialects.operations import build_operations


async def test_every_operation_reaches_a_replica_by_its_own_path() -> None:
    """What is relayed is relayed to the same path, and nothing else is relayed."""
    seen: list[bytes] = []

    async def answer(visit: Visit, request: bytes) -> None:
        seen.append(request.split(b" ")[1])
        await visit.say_json(b"{}")

    paths = list(build_operations(max_json_depth=64))
    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        replies: list[httpx2.Response] = [await door.http.post(path, json={"model": MODEL}) for path in paths]
    assert [reply.status_code for reply in replies] == [200] * len(paths)
    assert seen == [path.encode() for path in paths]


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
        await visit.say_json(b"{}")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.get("/v1/responses", headers=headers)
        assert reply.status_code == 405
        after = await door.http.post("/v1/responses", json={"model": MODEL})
        assert after.status_code == 200


async def test_a_wrong_method_is_told_in_the_routes_own_shape() -> None:
    """Anthropic's route answers in Anthropic's way."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(b"{}")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.get("/v1/messages")
    assert (reply.status_code, reply.json()["type"]) == (405, "error")
