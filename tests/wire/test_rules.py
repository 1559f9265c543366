"""What may be asked, over real sockets: what is refused reaches no replica, what is taken out does not arrive."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.wire.sims import asked, fleet
from tests.wire.talking import new, refused, say
from vllm_gateway import codec
from vllm_gateway.admission.rules.owned import STRIPPED
from vllm_gateway.sim import RunningSim

CHAT = "/v1/chat/completions"
MODEL = "sim-small"
USER = [{"role": "user", "content": "Hello"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"model": MODEL, "messages": USER, "max_tokens": 2},
    "/v1/completions": {"model": MODEL, "prompt": "Hello", "max_tokens": 2},
    "/v1/responses": {"model": MODEL, "input": "Hello", "max_output_tokens": 2, "store": False},
    "/v1/messages": {"model": MODEL, "messages": USER, "max_tokens": 2},
    "/tokenize": {"model": MODEL, "messages": USER},
    "/v1/embeddings": {"model": "sim-embed", "input": "Hello"},
}
ROUTES = pytest.mark.parametrize("path", BODIES)
REMOTE = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (CHAT, {"n": 17}, "n"),
    (CHAT, {"n": -1}, "n"),
    (CHAT, {"n": 10**30}, "n"),
    (CHAT, {"max_tokens": "5"}, "max_tokens"),
    (CHAT, {"max_tokens": 1.5}, "max_tokens"),
    (CHAT, {"max_completion_tokens": 101}, "max_completion_tokens"),
    (CHAT, {"top_logprobs": 21}, "top_logprobs"),
    (CHAT, {"prompt_logprobs": -1}, "prompt_logprobs"),
    (CHAT, {"stop": ["x"] * 17}, "stop"),
    (CHAT, {"stop": "x" * 257}, "stop"),
    (CHAT, {"messages": USER * 4097}, "messages"),
    (CHAT, {"tools": [{"type": "function", "function": {"name": "f"}}] * 257}, "tools"),
    (CHAT, {"logit_bias": {str(token): 1 for token in range(1025)}}, "logit_bias"),
    (CHAT, {"structured_outputs": {"regex": "x" * 4097}}, "structured_outputs.regex"),
    (CHAT, {"response_format": {"type": "json_schema", "x": "x" * 262_144}}, "response_format"),
    (CHAT, {"guided_regex": "x"}, "guided_regex"),
    (CHAT, {"chat_template": "{{ x }}"}, "chat_template"),
    (CHAT, {"chat_template_kwargs": {"tokenize": True}}, "chat_template_kwargs.tokenize"),
    (CHAT, {"messages": [{"role": "user", "content": [REMOTE]}]}, "messages[0].content[0].image_url.url"),
    ("/v1/completions", {"best_of": 17}, "best_of"),
    ("/v1/completions", {"logprobs": 21}, "logprobs"),
    ("/v1/completions", {"prompt": ["x"] * 2049}, "prompt"),
    ("/v1/completions", {"use_beam_search": True}, "use_beam_search"),
    ("/v1/responses", {"max_output_tokens": 101}, "max_output_tokens"),
    ("/v1/responses", {"input": [{"type": "message", "role": "user", "content": "x"}] * 4097}, "input"),
    ("/v1/embeddings", {"input": ["x"] * 2049}, "input"),
    ("/tokenize", {"chat_template": "x"}, "chat_template"),
]
"""Route, what is wrong with a body, and the field to blame."""


@asynccontextmanager
async def door_and_sim(**settings: Any) -> AsyncIterator[tuple[Gateway, RunningSim]]:  # noqa: ANN401 - any setting
    """Run a sim and a gateway with these settings."""
    async with fleet(**settings) as ([sim], door):
        yield door, sim


async def test_what_is_refused_reaches_no_replica() -> None:
    """B-07, S-11, S-12: 400 in OpenAI's shape, the field is named, and the sentence is short."""
    async with door_and_sim(limits={"max_tokens_cap": 100}) as (door, sim):
        for path, wrong, param in REFUSED:
            body = codec.dumps_spaced(BODIES[path] | wrong).encode()
            reply = await door.http.post(path, content=body, headers={"content-type": "application/json"})
            assert len(refused(reply, 400, param=param)) < 200, reply.text
        assert not any(asked(sim, path) for path in BODIES)
        assert (await door.http.post(CHAT, json=BODIES[CHAT])).status_code == 200


async def test_anthropics_clients_are_told_in_their_own_shape() -> None:
    """B-07: on the Messages API the same refusals look as its clients expect."""
    source = {"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}}
    async with door_and_sim() as (door, sim):
        for wrong in ({"stop_sequences": ["x"] * 17}, {"messages": [{"role": "user", "content": [source]}]}):
            reply = await door.http.post("/v1/messages", json=BODIES["/v1/messages"] | wrong)
            assert reply.status_code == 400
            assert reply.json()["error"]["type"] == "invalid_request_error"
        assert not asked(sim, "/v1/messages")


@ROUTES
async def test_what_the_gateway_owns_does_not_arrive(path: str) -> None:
    """S-12: none of the fields of the list reaches a replica, streamed or not; the rest of the body does."""
    owned = {**dict.fromkeys(STRIPPED, "canary"), "modelKey": "default"}
    async with door_and_sim() as (door, sim):
        reply = await door.http.post(path, json=BODIES[path] | owned)
        assert reply.status_code == 200, reply.text
        [body] = asked(sim, path)
    assert {name: value for name, value in body.items() if name in BODIES[path]} == BODIES[path]
    assert "canary" not in str(body)
    assert STRIPPED.isdisjoint(body)


async def test_what_the_gateway_owns_does_not_arrive_through_its_own_routes() -> None:
    """S-12: `extra` is no way around it, and neither is a session."""
    owned = dict.fromkeys(STRIPPED - {"session_id", "modelKey"}, "canary")
    async with door_and_sim() as (door, sim):
        session = await new(door)
        assert (await say(door, session, extra=owned)).status_code == 200
        reply = await door.http.post("/chat", json={"message": "Hello", "max_tokens": 2, "extra": owned})
        assert reply.status_code == 200
        bodies = asked(sim)
    assert len(bodies) == 2
    for body in bodies:
        assert STRIPPED.isdisjoint(body)


async def test_bounds_hold_in_a_session_too() -> None:
    """B-07: a turn that breaks one is refused, and the session is as it was."""
    async with door_and_sim() as (door, sim):
        session = await new(door)
        assert refused(await say(door, session, extra={"top_logprobs": 21}), 400, param="top_logprobs")
        assert refused(await say(door, session, extra={"chat_template": "x"}), 400, param="chat_template")
        assert not asked(sim)
        assert (await say(door, session)).status_code == 200


async def test_callers_are_cached_apart() -> None:
    """S-18: each key has one salt, on every route and in every request, and no two have the same."""
    keys = ["key-of-ann-123", "key-of-bob-123"]
    settings = {"auth": {"mode": "keys", "client_keys": keys}, "isolate_prefix_cache": True}
    routes = [CHAT, "/v1/completions", "/v1/responses", "/v1/messages"]
    salts: list[set[str]] = []
    async with door_and_sim(**settings) as (door, sim):
        for key in keys:
            for path in routes:
                for stream in (False, True):
                    body = BODIES[path] | {"cache_salt": "chosen", "stream": stream}
                    reply = await door.http.post(path, json=body, headers={"authorization": f"Bearer {key}"})
                    assert reply.status_code == 200, reply.text
            salts.append({body["cache_salt"] for path in routes for body in asked(sim, path)})
            sim.log.clear()
    [[ann], [bob]] = salts
    assert "chosen" not in {ann, bob}
    assert ann != bob


async def test_an_answer_without_a_length_gets_one() -> None:
    """The setting's default arrives where the caller named none, and only there."""
    async with door_and_sim(limits={"default_max_tokens": 3}) as (door, sim):
        await door.http.post(CHAT, json={"model": MODEL, "messages": USER})
        await door.http.post(CHAT, json={"model": MODEL, "messages": USER, "max_completion_tokens": 2})
        first, second = asked(sim)
    assert first["max_tokens"] == 3
    assert "max_tokens" not in second


async def test_the_accounting_line_of_claude_code_does_not_arrive() -> None:
    """Nor does anything else change: the next block is the first."""
    system = [
        {"type": "text", "text": f"x-anthropic-billing-header: cch={time.time_ns()};"},
        {"type": "text", "text": "x"},
    ]
    async with door_and_sim() as (door, sim):
        reply = await door.http.post("/v1/messages", json=BODIES["/v1/messages"] | {"system": system})
        assert reply.status_code == 200
        [body] = asked(sim, "/v1/messages")
    assert body == BODIES["/v1/messages"] | {"system": system[1:]}


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/sessions/{id}/chat"])
async def test_a_name_that_comes_twice_is_refused(path: str) -> None:
    """B-05: a replica might read the other one."""
    body = b'{"model":"sim-small","message":"x","max_tokens":2,"\\u006dax_tokens":3}'
    async with door_and_sim() as (door, sim):
        path = path.replace("{id}", await new(door))
        reply = await door.http.post(path, content=body, headers={"content-type": "application/json"})
        assert reply.status_code == 400
        assert "twice in one object" in reply.json()["error"]["message"]
        assert not asked(sim, path)


async def test_too_many_names_are_refused_quickly() -> None:
    """B-05: a million of them, in less than it would take to parse them."""
    body = b"{" + b",".join(b'"%d":0' % number for number in range(900_000)) + b"}"
    async with door_and_sim() as (door, sim):
        took_s = []
        for _ in range(3):
            began = time.process_time()
            reply = await door.http.post(CHAT, content=body, headers={"content-type": "application/json"})
            took_s.append(time.process_time() - began)
            assert "more than 100000 members" in refused(reply, 400)
        assert not asked(sim)
    assert min(took_s) < 0.3, "sending and receiving so much costs both sides something too"
