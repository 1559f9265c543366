"""What the routes of the earlier services do beside their documented calls: routing, keys, heartbeats and failures."""

import asyncio
import contextlib
import logging
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.gateway import Gateway, gateway
from tests.waiting import until
from tests.wire.documented import CALLS, answered_stream, answered_turn, json_of
from tests.wire.refused import check_error
from tests.wire.sims import asked, fast, fleet
from vllm_gateway import codec
from vllm_gateway.clock import SystemClock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import start

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
ASK: dict[str, Any] = {"message": "Hello", "max_tokens": 8}
CHATS = ("/chat", "/api/chat")
BODY_PATHS = sorted({call.path for call in CALLS if call.body and not call.path.startswith("/v1/")})


async def test_extra_reaches_the_replica_as_parameters() -> None:
    """What stands in `extra` is sent beside the other parameters, and nothing that only the gateway understands is."""
    extra = {"top_k": 40, "repetition_penalty": 1.1, "seed": 7, "min_p": 0.05, "logit_bias": {"5": -1}}
    async with fleet() as ([sim], door):
        session_id = (await door.http.post("/init_session", json={"vllm_api_key": "any"})).json()["session_id"]
        for body in ({**HELLO, "extra": extra}, {**ASK, "session_id": session_id, "temperature": 0.5, "extra": extra}):
            assert (await door.http.post("/chat", json=body)).status_code == 200
        plain, turn = asked(sim)
    assert {**extra, "max_tokens": 8, "messages": HELLO["messages"]}.items() <= plain.items()
    assert {**extra, "max_tokens": 8, "messages": HELLO["messages"], "temperature": 0.5}.items() <= turn.items()
    assert not {"extra", "session_id", "message", "modelKey", "system"} & {*plain, *turn}


async def test_a_single_question_becomes_a_conversation() -> None:
    """`system` and `message` are sent as messages, and parameters that the route does not name pass."""
    async with fleet() as ([sim], door):
        for path in (*CHATS, "/api/chat/stream"):
            await door.http.post(path, json={**ASK, "system": "Be brief.", "presence_penalty": 0.5})
        bodies = asked(sim)
    assert [body["messages"] for body in bodies] == [
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    ] * 3
    assert all(body["presence_penalty"] == 0.5 for body in bodies)


async def test_a_model_key_picks_its_route() -> None:
    """Each route's key leads to its replicas, whatever model they serve and whichever letters the key is written in."""
    async with fleet(fast(models=("a",)), fast(models=("b",)), routes=("small", "large")) as (sims, door):
        for path in CHATS:
            for key, model in (("small", "a"), ("large", "b"), ("LARGE", "b")):
                reply = json_of(await door.http.post(path, json={**ASK, "modelKey": key}))
                assert reply["model"] == model
        named = json_of(await door.http.post("/api/chat", json={**ASK, "model": "b"}))
        wrong = await door.http.post("/api/chat", json={**ASK, "model": "a", "modelKey": "large"})
    assert named["model"] == "b"
    assert wrong.status_code == 409
    assert [len(asked(sim)) for sim in sims] == [2, 5]


async def test_the_default_route_answers_who_names_nothing() -> None:
    """Neither model nor key: the route that is set answers."""
    async with fleet(fast(models=("a",)), fast(models=("b",)), routes=("small", "large"), default_route="large") as (
        _,
        door,
    ):
        for path in CHATS:
            assert json_of(await door.http.post(path, json=ASK))["model"] == "b"


@pytest.mark.parametrize("path", CHATS)
async def test_an_ambiguous_model_is_refused_where_that_is_wanted(path: str) -> None:
    """Two routes serve the model: 409 with both names, unless a key picks one of them."""
    ask = {**ASK, "model": "sim-small"}
    async with fleet(fast(), fast(), routes=("one", "two"), ambiguous_model="reject") as (sims, door):
        refused = await door.http.post(path, json=ask)
        picked = await door.http.post(path, json={**ask, "modelKey": "two"})
    assert (refused.status_code, picked.status_code) == (409, 200)
    detail, error = check_error(refused)
    assert detail == error["message"]
    assert "one, two" in str(detail)
    assert [len(asked(sim)) for sim in sims] == [0, 1]


async def test_an_ambiguous_model_is_balanced_otherwise() -> None:
    """Two routes serve the model: both of them answer, by turns."""
    async with fleet(fast(), fast(), routes=("one", "two")) as (sims, door):
        for _ in range(6):
            assert (await door.http.post("/api/chat", json={**ASK, "model": "sim-small"})).status_code == 200
    assert [len(asked(sim)) for sim in sims] == [3, 3]


async def test_a_model_that_is_not_allowed_is_refused() -> None:
    """403 with the names of those that are, and no replica is asked; `/api/models` lists only those."""
    async with fleet(fast(models=("a", "b")), allowed_models=("a",)) as ([sim], door):
        for path in (*CHATS, "/api/chat/stream", "/embed", "/api/embeddings"):
            reply = await door.http.post(path, json={**ASK, "input": "x", "model": "b"})
            assert reply.status_code == 403
            assert "Available: a." in str(check_error(reply)[0])
        listed = json_of(await door.http.get("/api/models"))
    assert [row["id"] for row in listed["data"]] == ["a"]
    assert asked(sim) == asked(sim, "/v1/embeddings") == []


@pytest.mark.parametrize("path", ["/embed", "/api/embeddings"])
async def test_nobody_embeds(path: str) -> None:
    """501 that says so; vectors are never invented."""
    async with fleet(fast(embedding_models=())) as (_, door):
        reply = await door.http.post(path, json={"input": "x"})
    assert reply.status_code == 501
    detail, error = check_error(reply)
    assert detail == error["message"]
    assert "embeddings" in str(detail)


async def test_unknown_routes_and_wrong_methods() -> None:
    """What is not offered is 404, what is posted to is 405 otherwise."""
    async with fleet() as (_, door):
        for path in ("/api", "/api/nothing", "/chat/", "/init_session/x"):
            assert (await door.http.post(path, json={})).status_code == 404
        for path in BODY_PATHS:
            reply = await door.http.get(path)
            assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


async def test_a_body_over_the_limit_is_refused() -> None:
    """413 in both shapes, whoever reads the body."""
    async with fleet(limits={"max_body_bytes": 1024}) as (_, door):
        for path in BODY_PATHS:
            reply = await door.http.post(path, json={**HELLO, "x": "y" * 2000})
            assert reply.status_code == 413
            check_error(reply)


@pytest.mark.parametrize(
    ("fault", "status"), [("status=500", 502), ("reset", 502), ("eof", 502), ("status=503", 503), ("stall", 504)]
)
async def test_a_replica_that_fails(fault: str, status: int) -> None:
    """Its failure has a status of the gateway's, and says nothing of where the replica is."""
    timeouts = {"first_token_s": 0.2, "total_s": 0.3}
    async with fleet(fast(faults=(fault,)), timeouts=timeouts, probe={"every_s": 0.05}) as ([sim], door):
        replies = []
        for path in CHATS:
            for stream in (False, True):
                await until(lambda: door.parts.pool.replicas[0].is_usable)
                replies.append(await door.http.post(path, json={**HELLO, "stream": stream}))
    for reply in replies:
        assert reply.status_code == status
        detail, error = check_error(reply)
        assert detail == error["message"]
        assert str(sim.port) not in reply.text


@pytest.mark.parametrize("path", CHATS)
async def test_a_replica_that_is_gone(path: str) -> None:
    """The first who asks finds out (502), and from then on nobody is healthy (503 with a time to come again)."""
    async with fleet() as ([sim], door):
        sim.stop_listening(cut=True)
        first, second = [await door.http.post(path, json=ASK) for _ in range(2)]
    assert (first.status_code, second.status_code) == (502, 503)
    assert int(second.headers["retry-after"]) >= 1
    for reply in (first, second):
        check_error(reply)
        assert str(sim.port) not in reply.text


async def test_a_silent_model_is_bridged_with_comments() -> None:
    """While the first token takes its time, a comment goes out every `sse_heartbeat_s`; then the answer is whole."""
    async with fleet(fast(faults=("deaf=1.2",)), sse_heartbeat_s=0.2) as (_, door):
        for text, first_s in await asyncio.gather(*(_streamed(door, ask) for ask in (ASK, HELLO))):
            assert text.startswith(": keepalive\n\n: keepalive\n\n")
            assert text.count(": keepalive") <= 7
            assert text.endswith("data: [DONE]\n\n")
            assert 0.2 <= first_s < 1.2


async def _streamed(door: Gateway, ask: dict[str, Any]) -> tuple[str, float]:
    """Return a whole stream, and how long its first byte took."""
    clock, pieces, first_s = SystemClock(), [], None
    began = clock.now()
    async with door.http.stream("POST", "/api/chat/stream", json=ask) as reply:
        async for piece in reply.aiter_text():
            first_s = first_s or clock.now() - began
            pieces.append(piece)
    return "".join(pieces), first_s or 0.0


async def test_a_stream_that_pauses_is_bridged_too() -> None:
    """A model that falls silent between two tokens does not let a proxy close the connection."""
    async with fleet(fast(faults=("stall=0.8@2",)), sse_heartbeat_s=0.2) as (_, door):
        reply = await door.http.post("/api/chat/stream", json=HELLO)
    answered_stream(reply)
    before, _, after = reply.text.partition(": keepalive")
    assert before.startswith("data: ")
    assert after.endswith("data: [DONE]\n\n")


async def test_no_heartbeat_where_none_is_wanted() -> None:
    """0 sends none."""
    async with fleet(fast(faults=("deaf=0.25",)), sse_heartbeat_s=0) as (_, door):
        reply = await door.http.post("/api/chat/stream", json=ASK)
    answered_stream(reply)
    assert "keepalive" not in reply.text


@pytest.mark.parametrize("fault", ["stall", "stall@3", "slow=0.6,eof@3", "slow=0.6,error@3"])
async def test_a_failure_behind_a_heartbeat_is_told_in_the_stream(fault: str) -> None:
    """When the head has been sent, an error event ends the stream, and it never looks complete."""
    raw = b""
    timeouts = {"first_token_s": 0.8, "idle_s": 0.8}
    async with fleet(fast(faults=(fault,)), sse_heartbeat_s=0.1, timeouts=timeouts) as ([sim], door):
        async with door.http.stream("POST", "/api/chat/stream", json=ASK) as reply:
            assert reply.status_code == 200
            with contextlib.suppress(httpx2.RemoteProtocolError):  # the connection is cut behind the event
                async for piece in reply.aiter_raw():
                    raw += piece
        assert str(sim.port).encode() not in raw
    assert b": keepalive\n\n" in raw
    assert b"[DONE]" not in raw
    last = raw.split(b"\n\n")[-2]
    assert codec.loads(last.removeprefix(b"data: "))["error"]["message"]


def _are_usable(door: Gateway, count: int) -> bool:
    return sum(replica.is_usable for replica in door.parts.pool.replicas) == count


async def test_healthz_tells_how_the_fleet_does() -> None:
    """Healthy with all replicas, degraded without one of them, unhealthy without any; nobody needs a key for it."""
    auth = {"mode": "keys", "client_keys": ("client-key-1",)}
    async with fleet(fast(), fast(), auth=auth, probe={"every_s": 0.05}) as (sims, door):
        told: list[tuple[object, ...]] = []
        for lost in (None, *sims):
            if lost is not None:
                lost.stop_listening(cut=True)
            await until(partial(_are_usable, door, 2 - len(told)))
            body = json_of(await door.http.get("/api/healthz"))
            told.append((body["status"], body["upstream_healthy"], body["model_loaded"]))
        health = json_of(await door.http.get("/health"))
    assert [state for state, _, _ in told] == ["healthy", "degraded", "unhealthy"]
    assert told[0] == ("healthy", True, True)
    assert told[2] == ("unhealthy", False, False)
    assert (health["status"], health["ok"], health["vllm"]) == ("ok", True, "unavailable")


async def test_client_keys_open_the_routes() -> None:
    """Without a key 401 in both shapes; with it, in any of the three headers, the answer; a session's id is a key."""
    key = "client-key-1"
    async with fleet(auth={"mode": "keys", "client_keys": (key,)}) as ([sim], door):
        for path in ("/chat", "/api/chat", "/api/chat/stream", "/embed", "/api/embeddings"):
            for headers in ({}, {"authorization": "Bearer wrong-key-1"}):
                reply = await door.http.post(path, json={**HELLO, "input": "x"}, headers=headers)
                assert reply.status_code == 401
                check_error(reply)
        assert (await door.http.get("/api/models")).status_code == 401
        assert asked(sim) == []
        for name, value in (("authorization", f"Bearer {key}"), ("x-api-key", key), ("api-key", key)):
            assert (await door.http.post("/chat", json=HELLO, headers={name: value})).status_code == 200
            assert (await door.http.get("/api/models", headers={name: value})).status_code == 200
        session_id = json_of(await door.http.post("/init_session", json={"vllm_api_key": key}))["session_id"]
        own = {"session_id": session_id}
        assert (await door.http.post("/set_system_prompt", json={**own, "system_prompt": "Hi"})).status_code == 200
        answered_turn(await door.http.post("/chat", json={**ASK, **own}))
        assert (await door.http.post("/stop_session", json=own)).status_code == 200


@pytest.mark.parametrize("source", ["client keys", "upstream key"])
async def test_a_wrong_key_begins_no_session(source: str) -> None:
    """401 for a wrong key wherever there is a right one: a client's key, or the replicas' own."""
    async with AsyncExitStack() as stack:
        sim = await start(fast(api_key="right-key-1" if source == "upstream key" else None))
        stack.push_async_callback(sim.close)
        upstream = Upstream.model_validate({"url": sim.url, "api_key": sim.replica.settings.api_key})
        auth = {"mode": "keys", "client_keys": ("right-key-1",)} if source == "client keys" else {}
        door = await stack.enter_async_context(gateway(upstream, auth=auth))
        wrong = [await door.http.post("/init_session", json={"vllm_api_key": key}) for key in ("wrong-key-1", "")]
        right = await door.http.post("/init_session", json={"vllm_api_key": "right-key-1"})
    for reply in wrong:
        assert reply.status_code == 401
        assert "right-key" not in str(check_error(reply))
    assert right.status_code == 200


async def test_a_session_that_was_stopped_or_has_expired_is_unknown() -> None:
    """404 on every route that names it."""
    async with fleet(session={"ttl_s": 0.2}) as (_, door):
        for ending in ("stop", "wait"):
            opened = json_of(await door.http.post("/init_session", json={"vllm_api_key": "x"}))
            own = {"session_id": opened["session_id"]}
            if ending == "stop":
                assert (await door.http.post("/stop_session", json=own)).status_code == 200
            else:
                await asyncio.sleep(0.22)
            for path, more in (("/chat", ASK), ("/set_system_prompt", {"system_prompt": "x"}), ("/stop_session", {})):
                reply = await door.http.post(path, json={**own, **more})
                assert reply.status_code == 404
                assert check_error(reply)[1]["code"] == "session_not_found"


async def test_a_system_prompt_is_what_the_model_is_told_first() -> None:
    """It stands before the history of every later turn, and a new one takes its place."""
    async with fleet() as ([sim], door):
        own = {"session_id": json_of(await door.http.post("/init_session", json={"vllm_api_key": "x"}))["session_id"]}
        for prompt in ("First.", "Second."):
            await door.http.post("/set_system_prompt", json={**own, "system_prompt": prompt})
            answered_turn(await door.http.post("/chat", json={**own, **ASK}))
        first, second = asked(sim)
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "user"]
    assert [body["messages"][0]["content"] for body in (first, second)] == ["First.", "Second."]


async def test_a_body_without_an_announcement_is_taken_as_json() -> None:
    """Every route reads it, whoever answers; a body that is announced as something else is 415 everywhere."""
    async with fleet() as (_, door):
        session_id = json_of(await door.http.post("/init_session", content=b'{"vllm_api_key":"x"}'))["session_id"]
        own = b'{"session_id":"%s","system_prompt":"x","message":"x","max_tokens":4}' % session_id.encode()
        for path in ("/set_system_prompt", "/chat", "/stop_session"):
            assert json_of(await door.http.post(path, content=own))["session_id"] == session_id
            reply = await door.http.post(path, content=own, headers={"content-type": "text/plain"})
            assert reply.status_code == 415
            check_error(reply)


async def test_the_id_of_a_session_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    """It is a credential: neither what goes well nor what fails writes it down, however much is logged."""
    caplog.set_level(logging.DEBUG)
    async with fleet(fast(faults=("status=500x1",))) as (_, door):
        own = {"session_id": json_of(await door.http.post("/init_session", json={"vllm_api_key": "x"}))["session_id"]}
        statuses = [
            (await door.http.post(path, json={**own, **more})).status_code
            for path, more in (
                ("/set_system_prompt", {"system_prompt": "x"}),
                ("/chat", ASK),
                ("/chat", ASK),
                ("/chat", {**ASK, "max_tokens": 99_999}),
                ("/stop_session", {}),
                ("/stop_session", {}),
            )
        ]
    assert statuses == [200, 502, 200, 413, 200, 404]
    assert [record.name for record in caplog.records if own["session_id"] in record.getMessage()] == []


async def test_every_reply_names_its_request() -> None:
    """Good or bad, it carries the id under which the request can be found; a caller's own is kept."""
    async with fleet() as (_, door):
        for path, body in (
            ("/chat", HELLO),
            ("/init_session", {}),
            ("/api/chat", {}),
            ("/init_session", {"vllm_api_key": "x"}),
        ):
            reply = await door.http.post(path, json=body, headers={"x-request-id": "trace-0123456789"})
            assert reply.headers.get_list("x-request-id") == ["trace-0123456789"]


async def test_a_model_on_several_routes_is_picked_by_the_routes_name_everywhere() -> None:
    """On vLLM's own routes too, where the name is not passed on and a missing one is 404 instead of 409."""
    said: dict[str, Any] = {"model": "sim-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
    async with fleet(fast(), fast(), routes=("one", "two"), ambiguous_model="reject") as (sims, door):
        for path, status in (("/v1/chat/completions", 404), ("/v1/messages", 404), ("/api/chat", 409)):
            body = {**said, "stream": False}
            refused = await door.http.post(path, json=body)
            assert refused.status_code == status, path
            assert "one, two" in refused.text
            assert (await door.http.post(path, json={**body, "modelKey": "two"})).status_code == 200, path
            unknown = await door.http.post(path, json={**body, "modelKey": "three"})
            assert unknown.status_code == status, path
        targets = [[seen.target for seen in sim.log.requests if seen.body] for sim in sims]
        assert targets == [[], ["/v1/chat/completions", "/v1/messages", "/v1/chat/completions"]]
        assert not any(b"modelKey" in seen.body for seen in sims[1].log.requests)


@pytest.mark.parametrize(
    "body",
    [
        {"session_id": "s", "message": "Hi", "n": [1]},
        {"session_id": "s", "message": "Hi", "n": {"a": 1}},
        {"session_id": "s", "message": "Hi", "extra": {"max_tokens": -5}},
        {"messages": [{"role": "assistant", "content": "x", "tool_calls": ["a"]}]},
    ],
)
async def test_a_field_that_is_not_of_its_kind_is_a_wrong_field(body: dict[str, Any]) -> None:
    """422, with the list of what is wrong."""
    async with fleet() as (_, door):
        reply = await door.http.post("/chat", json=body)
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"][0] == "body"
