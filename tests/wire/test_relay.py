"""What passes through the gateway, byte for byte, and what does not."""

import asyncio

import pytest

from tests.gateway import gateway, raw
from tests.scripted import MODEL, Visit, as_replica, scripted
from tests.waiting import PATIENCE_S, until
from vllm_gateway.outcomes import Outcome

pytestmark = pytest.mark.both_lanes

CHAT = "/v1/chat/completions"
ROLE = b'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"."},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def token(text: str) -> bytes:
    """Return an event with a piece of text."""
    return b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n' % text.encode()


def asking(*, stream: bool = False, **fields: object) -> dict[str, object]:
    """Return a chat body."""
    return {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": stream, **fields}


async def test_an_answer_in_one_piece_passes_unchanged() -> None:
    """Odd spacing, unknown fields and escapes of a reply reach the caller as the replica wrote them."""
    odd = b'{ "id" : "x",\n "choices": [], "new_field": {"\\u00e9": 1e3}, "usage": null }  '

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(odd)

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.post(CHAT, json=asking())
    assert (reply.status_code, reply.content, reply.headers["content-type"]) == (200, odd, "application/json")


async def test_a_body_passes_unchanged() -> None:
    """What the caller sent reaches the replica byte for byte when nothing in it is the gateway's to change."""
    body = b'{"messages" :[], "model":"scripted",\n"top_k": 5, "mystery":{"a":[1,2.50]}, "text":"\\u00e9\xc3\xa9"}'
    seen: list[bytes] = []

    async def answer(visit: Visit, request: bytes) -> None:
        seen.append(request)
        await visit.say_json(b"{}")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        await door.http.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert seen[0].endswith(b"\r\n\r\n" + body)


async def test_the_callers_headers_stay_here() -> None:
    """Keys, cookies and steering headers do not reach the replica; Anthropic's version does, and the id is ours."""
    seen: list[bytes] = []

    async def answer(visit: Visit, request: bytes) -> None:
        seen.append(request.lower())
        await visit.say_json(b"{}")

    headers = {
        "authorization": "Bearer secret",
        "x-api-key": "secret",
        "cookie": "secret",
        "x-forwarded-for": "secret",
        "x-vllm-priority": "secret",
        "x-data-parallel-rank": "secret",
        "x-request-id": "not a safe id; secret",
        "anthropic-version": "2023-06-01",
    }
    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.post("/v1/messages", json=asking(), headers=headers)
    assert b"secret" not in seen[0]
    assert b"anthropic-version: 2023-06-01" in seen[0]
    assert b"x-request-id: " + reply.headers["x-request-id"].encode() in seen[0]
    assert reply.headers["request-id"] == reply.headers["x-request-id"]


async def test_a_safe_request_id_is_kept() -> None:
    """An id of the caller's own goes to the replica and comes back."""
    seen: list[bytes] = []

    async def answer(visit: Visit, request: bytes) -> None:
        seen.append(request)
        await visit.say_json(b"{}")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.post(CHAT, json=asking(), headers={"x-request-id": "my-own_id-123"})
    assert reply.headers["x-request-id"] == "my-own_id-123"
    assert b"X-Request-Id: my-own_id-123\r\n" in seen[0]


async def test_each_event_is_written_when_it_is_read() -> None:
    """An event reaches the caller while the replica still thinks about the next one; comments pass too."""
    go_on = asyncio.Event()

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        for event in (b": keep-alive\n\n", ROLE, token("a"), LAST):
            await visit.say_events(event)
            await asyncio.wait_for(go_on.wait(), PATIENCE_S)
            go_on.clear()
        await visit.say_events(DONE, is_last=True)

    async with (
        scripted(as_replica(answer)) as replica,
        gateway(replica.url) as door,
        door.http.stream("POST", CHAT, json=asking(stream=True)) as reply,
    ):
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        seen = []
        async for chunk in reply.aiter_raw():
            seen.append(chunk)
            go_on.set()
    assert seen == [b": keep-alive\n\n", ROLE, token("a"), LAST, DONE]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
async def test_a_stream_in_any_slices_arrives_the_same(size: int) -> None:
    """However the replica's bytes are cut, in the middle of characters and of chunk heads, the events are the same."""
    events = [ROLE, token("привет"), token("👋🏽"), LAST, DONE]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events)

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        whole = framed + b"0\r\n\r\n"
        for start in range(0, len(whole), size):
            await visit.say(whole[start : start + size])
            if size > 2 or start % 50 == 0:
                await asyncio.sleep(0)

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.post(CHAT, json=asking(stream=True))
    assert reply.content == b"".join(events)


async def test_usage_is_asked_for_and_taken_out_again() -> None:
    """The gateway learns the usage of a stream; a caller who did not ask does not see that it did."""
    seen: list[bytes] = []
    usage = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"total_tokens":5,"completion_tokens":2}}\n\n'

    async def answer(visit: Visit, request: bytes) -> None:
        seen.append(request)
        await visit.say_stream_head()
        await visit.say_events(ROLE, LAST, usage, DONE, is_last=True)

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        silent = await door.http.post(CHAT, json=asking(stream=True))
        asked = await door.http.post(CHAT, json=asking(stream=True, stream_options={"include_usage": True}))
    assert b'"stream_options":{"include_usage":true}' in seen[0]
    assert silent.content == ROLE + LAST + DONE
    assert asked.content == ROLE + LAST + usage + DONE


@pytest.mark.parametrize("cut", ["reset", "close", "inside an event", "inside a chunk", "no finish", "early done"])
async def test_a_stream_that_breaks_off_ends_with_an_error_and_not_as_if_complete(cut: str) -> None:
    """F-05: however a stream is cut, the caller gets whole events, one error event, no [DONE], and a closed socket."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        await visit.say_events(ROLE, token("a"))
        await asyncio.sleep(0.02)
        if cut == "reset":
            visit.reset()
        elif cut == "inside an event":
            await visit.say_events(token("b")[:40])
        elif cut == "inside a chunk":
            await visit.say(b"ff\r\n" + token("b")[:40])
        elif cut == "no finish":
            await visit.say(b"0\r\n\r\n")
        elif cut == "early done":
            await visit.say_events(DONE, is_last=True)
        raise ConnectionError

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        body = b'{"model":"scripted","messages":[],"stream":true}'
        head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        answer_bytes = await raw(door.port, head % (CHAT.encode(), len(body)) + body)
        assert door.parts.ledger.outcomes in (
            {Outcome.UPSTREAM_TRUNCATED: 1},
            {Outcome.UPSTREAM_ERROR: 1},
        )
    assert ROLE in answer_bytes
    assert token("a") in answer_bytes
    assert answer_bytes.count(b'data: {"error":{"message":') == 1
    assert b"[DONE]" not in answer_bytes
    assert not answer_bytes.endswith(b"0\r\n\r\n")
    assert b'"content":"b"' not in answer_bytes


async def test_an_error_event_of_the_replica_is_no_success() -> None:
    """F-04: vLLM ends a failed stream with an error event and then [DONE]; the caller sees one error and no [DONE]."""
    broken = b'data: {"error": {"message": "Traceback in /opt/vllm", "type": "x", "param": null, "code": 500}}\n\n'

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        await visit.say_events(ROLE, token("a"), broken, DONE, is_last=True)

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        body = b'{"model":"scripted","messages":[],"stream":true}'
        head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (CHAT.encode(), len(body))
        text = await raw(door.port, head + body)
        assert door.parts.ledger.outcomes == {Outcome.UPSTREAM_ERROR: 1}
    assert text.count(b'{"error":') == 1
    assert b"/opt/vllm" not in text
    assert b"[DONE]" not in text


async def test_a_missing_done_is_supplied() -> None:
    """An answer that came to its end in every choice is complete, even if the replica forgot to say so."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        await visit.say_events(ROLE, LAST, is_last=True)

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.post(CHAT, json=asking(stream=True))
    assert reply.content == ROLE + LAST + DONE


async def test_a_large_answer_passes_whole() -> None:
    """An answer beyond what is held back arrives complete."""
    large = b'{"data":"' + b"x" * 5_000_000 + b'"}'

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(large)

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.post("/v1/embeddings", json={"model": MODEL, "input": "x"})
    assert reply.content == large


async def test_a_slow_caller_makes_the_replica_wait() -> None:
    """While one caller does not read, what it is owed stays at the replica and not in the gateway's memory."""
    sent = 0

    async def answer(visit: Visit, _: bytes) -> None:
        nonlocal sent
        await visit.say_stream_head()
        event = token("x" * 60_000)
        await visit.say_events(ROLE)
        for _round in range(1000):
            await visit.say_events(event)
            sent += len(event)

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        body = b'{"model":"scripted","messages":[],"stream":true}'
        writer.write(b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (CHAT.encode(), len(body)) + body)
        writer.transport.pause_reading()  # type: ignore[attr-defined] # a stream's transport can
        await asyncio.sleep(0.5)
        assert 0 < sent < 20_000_000
        writer.close()
        await until(lambda: not door.parts.ledger.live)
        assert reader is not None


@pytest.mark.parametrize("moment", ["before headers", "in the stream", "one piece"])
async def test_a_caller_who_leaves_frees_the_replica(moment: str) -> None:
    """F-17: the replica sees its connection closed when the caller goes, at any moment of the answer."""
    working = asyncio.Event()

    async def answer(visit: Visit, _: bytes) -> None:
        if moment == "in the stream":
            await visit.say_stream_head()
            await visit.say_events(ROLE, token("a"))
        working.set()
        await visit.until_closed()

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        body = b'{"model":"scripted","messages":[],"stream":%s}' % (b"false" if moment == "one piece" else b"true")
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (CHAT.encode(), len(body)) + body)
        await asyncio.wait_for(working.wait(), PATIENCE_S)
        if moment == "in the stream":
            await reader.readuntil(token("a"))
        writer.close()
        await until(lambda: any(visit.closed_at for visit in replica.visits))
        await until(lambda: door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 1})
        assert door.parts.pool.replicas[0].outstanding == 0
        reply = await door.http.get("/v1/models")
        assert reply.status_code == 200
