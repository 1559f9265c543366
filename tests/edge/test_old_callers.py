"""Replies to HTTP/1.0: whole, without chunks, and ended by the end of the connection."""

import pytest

from tests.gateway import gateway, raw
from tests.scripted import Visit, as_replica, scripted
from tests.wire.sims import fleet

BODY = b'{"model":"sim-small","messages":[{"role":"user","content":"Hello"}],"max_tokens":3%s}'
HEAD = b"POST /v1/chat/completions HTTP/1.0\r\n%scontent-length: %d\r\n\r\n%s"


@pytest.mark.parametrize("extra", [b"", b"connection: keep-alive\r\n", b"host: x\r\n"])
async def test_a_stream_is_not_cut_into_chunks(extra: bytes) -> None:
    """Event after event stands in the body as it is, up to the last one; then the connection ends."""
    body = BODY % b',"stream":true'
    async with fleet() as (_, door):
        answer = await raw(door.port, HEAD % (extra, len(body), body))
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert rest.startswith(b"data: {")
    assert rest.endswith(b"}\n\ndata: [DONE]\n\n")


async def test_a_reply_of_known_length_keeps_it() -> None:
    """What is told of its length stays true."""
    body = BODY % b""
    async with fleet() as (_, door):
        answer = await raw(door.port, HEAD % (b"", len(body), body))
        page = await raw(door.port, b"GET /docs HTTP/1.0\r\n\r\n")
    for reply in (answer, page):
        head, _, rest = reply.partition(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % len(rest) in head + b"\r\n"
        assert b"transfer-encoding" not in head


async def test_a_stream_that_breaks_ends_with_its_error() -> None:
    """Without chunks the end of a body says nothing, so that the error event is all there is to go by."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        await visit.say_events(b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n')
        visit.writer.close()

    body = b'{"model":"scripted","messages":[],"stream":true}'
    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await raw(door.port, HEAD % (b"", len(body), body))
    events = [event for event in reply.partition(b"\r\n\r\n")[2].split(b"\n\n") if event]
    assert events[-1].startswith(b'data: {"error":')
