"""Bad input: the statuses of the contract, no replica touched, and a healthy process afterwards."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.gateway import Gateway, gateway, raw
from tests.scripted import Scripted, Visit, as_replica, scripted
from tests.waiting import PATIENCE_S, until

CHAT = "/v1/chat/completions"
GOOD = b'{"model":"scripted","messages":[]}'
JSON = {"content-type": "application/json"}


@contextlib.asynccontextmanager
async def untouched_replica() -> AsyncIterator[tuple[Scripted, Gateway]]:
    """Give a replica that must not be asked, and a gateway before it; afterwards a good request still works."""
    asked: list[bytes] = []

    async def answer(visit: Visit, request: bytes) -> None:
        asked.append(request)
        await visit.say_json(b"{}")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        yield replica, door
        assert asked == []
        good = await door.http.post(CHAT, content=GOOD, headers=JSON)
        assert good.status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b'{"model":"scripted"} trailing', None),
        (b"[]", None),
        (b'"text"', None),
        (b"\xff\xfe{}", None),
        (b'{"model":"\\ud800"}', None),
        (b'{"model":NaN}', None),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", None),
        (b'{"model":7}', "model"),
        (b'{"model":"scripted","stream":"yes"}', "stream"),
        (b'{"model":"scripted","guided_json":{}}', "guided_json"),
    ],
)
async def test_bad_bodies_are_refused(body: bytes, param: str | None) -> None:
    """What is not the JSON object of a request gets 400 in OpenAI's shape, with the field to blame."""
    async with untouched_replica() as (_, door):
        reply = await door.http.post(CHAT, content=body, headers=JSON)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


async def test_bad_bodies_are_refused_in_anthropics_shape_on_its_route() -> None:
    """The route decides the shape of an error."""
    async with untouched_replica() as (_, door):
        reply = await door.http.post("/v1/messages", content=b"{", headers=JSON)
    assert reply.status_code == 400
    body = reply.json()
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert body["request_id"] == reply.headers["request-id"]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_refused(announced: bool) -> None:
    """11 MB get 413, whether the length is announced or the body comes in chunks."""
    big = b'{"model":"scripted","x":"' + b"x" * 11_000_000 + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 65536):
            yield big[start : start + 65536]

    async with untouched_replica() as (_, door):
        reply = await door.http.post(CHAT, content=big if announced else chunks(), headers=JSON)
    assert reply.status_code == 413
    assert reply.json()["error"]["code"] == "body_too_large"


async def test_the_limit_itself_is_allowed() -> None:
    """A body of exactly the limit passes, one byte more does not."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(b"{}")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url, limits={"max_body_bytes": 2048}) as door:
        body = GOOD[:-1] + b',"x":"' + b"x" * (2048 - len(GOOD) - 7) + b'"}'
        assert len(body) == 2048
        allowed = await door.http.post(CHAT, content=body, headers=JSON)
        refused = await door.http.post(CHAT, content=body + b" ", headers=JSON)
    assert (allowed.status_code, refused.status_code) == (200, 413)


async def test_who_asks_before_sending_too_much_is_told_before() -> None:
    """A caller that expects 100 Continue gets 413 instead of leave to send."""
    head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\nexpect: 100-continue\r\n\r\n" % CHAT.encode()
    async with untouched_replica() as (_, door):
        answer = await raw(door.port, head, until_closed=False)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in answer


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_other_methods_are_refused(method: str) -> None:
    """A route that is posted to says so."""
    async with untouched_replica() as (_, door):
        reply = await door.http.request(method, CHAT)
    assert reply.status_code == 405
    assert reply.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../metrics",
        "/v1/chat/completions/",
        "//v1/chat/completions",
        "/V1/chat/completions",
        "/v1/chat/completions;x",
        "/v1%2F..%2Fmetrics",
        "/invocations",
        "/sleep",
        "/v1/load_lora_adapter",
        "/inference/v1/generate",
        "/nothing",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unknown_paths_end_here(path: str, method: str) -> None:
    """What is not offered is 404 from the gateway, however it is spelled."""
    request = b"%s %s HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    async with untouched_replica() as (_, door):
        answer = await raw(door.port, request % (method.encode(), path.encode()))
    assert answer.startswith(b"HTTP/1.1 404")
    assert b'"code":"not_found"' in answer


@pytest.mark.parametrize("pieces", [1, 30])
async def test_a_huge_head_is_refused(pieces: int) -> None:
    """A head over the limit gets 431 and the connection ends, whether it comes at once or bit by bit."""
    head = b"POST %s HTTP/1.1\r\nhost: x\r\nx-big: " % CHAT.encode() + b"x" * 90_000 + b"\r\n\r\n"
    async with untouched_replica() as (_, door):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        with contextlib.suppress(ConnectionError, RuntimeError):  # uvloop says so when the other side has closed
            for start in range(0, len(head), len(head) // pieces):
                writer.write(head[start : start + len(head) // pieces])
                await asyncio.sleep(0.002)
        answer = await asyncio.wait_for(reader.read(-1), PATIENCE_S)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 431")


async def test_many_requests_on_one_connection_are_not_one_huge_head() -> None:
    """The bound is for each request, not for all that a connection ever carries."""
    async with untouched_replica() as (_, door):
        for _ in range(40):
            reply = await door.http.get("/livez", headers={"x-big": "x" * 3_000})
            assert reply.status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_bodies_of_another_kind_are_refused(kind: str) -> None:
    """A body that is announced as something else is not read as JSON."""
    async with untouched_replica() as (_, door):
        reply = await door.http.post(CHAT, content=GOOD, headers={"content-type": kind})
    assert reply.status_code == 415
    assert "application/json" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: +5\r\n\r\n{}",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nbad name: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx: a\x00b\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
async def test_what_is_not_http_is_refused(request_bytes: bytes) -> None:
    """Broken heads get 400 and the connection ends."""
    async with untouched_replica() as (_, door):
        answer = await raw(door.port, request_bytes)
    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_caller_who_leaves_while_sending_costs_nothing() -> None:
    """A body that never comes to its end reaches no replica."""
    async with untouched_replica() as (_, door):
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{" % CHAT.encode())
        await until(lambda: len(door.parts.ledger.live) == 1)
        writer.close()
        await until(lambda: not door.parts.ledger.live)
