"""Bodies that lie about their size, arrive in crumbs, are packed, or carry what belongs into no log and no header."""

import asyncio
import gzip
import logging
import re
import time

import pytest

from tests.gateway import Gateway, gateway, raw
from tests.scripted import Visit, as_replica, scripted
from tests.waiting import PATIENCE_S, until
from tests.wire.hostile import BODY, CHAT, differing, is_well, post, statuses
from tests.wire.sims import asked, fast, fleet

LIMIT = 4096
HEAD = b"POST %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" % CHAT
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def sized(size: int) -> bytes:
    """Return a good body of exactly this size."""
    return BODY[:-1] + b"," + b'"user":"' + b"x" * (size - len(BODY) - 10) + b'"}'


def in_chunks(body: bytes, size: int) -> bytes:
    """Return a body in chunks of this size."""
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


async def test_the_limit_is_exact_however_a_body_comes() -> None:
    """B-01: as many bytes as are allowed pass, one more is 413, with a length and in chunks of any size."""
    async with fleet(limits={"max_body_bytes": LIMIT}) as ((sim,), door):
        over = {f"{size}": CHUNKED + in_chunks(sized(LIMIT + 1), size) for size in (1, 7, 1000, LIMIT, LIMIT + 1)}
        over["length"] = post(b"connection: close", body=sized(LIMIT + 1))
        assert await differing(door, over, 413) == {}
        assert asked(sim) == []
        fits = {f"{size}": CHUNKED + in_chunks(sized(LIMIT), size) for size in (1, 7, 1000, LIMIT)}
        fits["length"] = post(b"connection: close", body=sized(LIMIT))
        assert await differing(door, fits, 200) == {}
        assert len(asked(sim)) == len(fits)


@pytest.mark.parametrize("length", [LIMIT + 1, 10**9, 10**15])
async def test_an_announced_size_is_refused_before_it_comes(length: int) -> None:
    """B-01: nothing of the body is waited for, and nobody is asked to send it."""
    async with fleet(limits={"max_body_bytes": LIMIT}, timeouts={"request_body_s": 600}) as (_, door):
        answer = await raw(door.port, HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % length)
    assert statuses(answer) == [413]


async def test_a_length_that_is_too_short_cuts_the_body() -> None:
    """B-01: what is behind the announced length is not read as its body."""
    async with fleet() as ((sim,), door):
        request = HEAD + b"content-length: %d\r\n\r\n%s" % (len(BODY) - 5, BODY)
        assert await differing(door, {"short": request}, 400) == {}
        assert await is_well(door, sim)


async def test_crumbs_cost_no_more_than_their_number() -> None:
    """B-01: a hundred thousand chunks of one byte take about ten times as long as ten thousand."""

    async def took_s(door: Gateway, count: int) -> float:
        request = CHUNKED + in_chunks(sized(count), 1)
        began = time.process_time()
        assert statuses(await raw(door.port, request)) == [200]
        return time.process_time() - began

    async with fleet() as (_, door):
        few = min([await took_s(door, 10_000) for _ in range(3)])
        many = await took_s(door, 100_000)
    assert many < few * 25 + 0.2


async def test_what_is_around_chunks_has_a_limit_too() -> None:
    """B-01: extensions and trailers are no way around the limit of the body."""
    extended = b"".join(b"1;%s\r\n%s\r\n" % (b"x" * 1000, b"{") for _ in range(100))
    trailers = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1000) for number in range(100))
    async with fleet() as ((sim,), door):
        requests = {
            "extensions": extended,
            "one extension": b"1;" + b"x" * 100_000 + b"\r\n{\r\n0\r\n\r\n",
            "trailers": b"0\r\n" + trailers + b"\r\n",
            "one trailer": b"0\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        }
        for name, body in requests.items():
            answer = await raw_in_two(door, CHUNKED, body)
            assert statuses(answer) in ([431], [400]), name
        assert await is_well(door, sim)


async def raw_in_two(door: Gateway, first: bytes, second: bytes) -> bytes:
    """Send a head, and its body when the gateway has read that."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(first)
    await until(lambda: bool(door.parts.ledger.live))
    writer.write(second)
    answer = await asyncio.wait_for(reader.read(-1), PATIENCE_S)
    writer.close()
    return answer


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd", b"gzip, identity", b"GZIP", b"x"])
@pytest.mark.parametrize("path", [CHAT, b"/v1/messages", b"/v1/sessions", b"/init_session"])
async def test_packed_bodies_are_refused_unopened(path: bytes, coding: bytes) -> None:
    """B-04: 10 MB of zeros in 10 KB are never unpacked, on no route."""
    bomb = gzip.compress(b"0" * 10_000_000)
    async with fleet() as ((sim,), door):
        request = post(b"content-encoding: " + coding, b"connection: close", path=path, body=bomb)
        assert await differing(door, {"bomb": request}, 415) == {}
        assert await is_well(door, sim)


async def test_a_body_that_is_announced_as_not_packed_is_read() -> None:
    """B-04: `identity` says that nothing was done to it."""
    async with fleet() as (_, door):
        assert await differing(door, {"identity": post(b"content-encoding: identity", b"connection: close")}, 200) == {}


@pytest.mark.parametrize(
    "broken", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xe2\x28\xa1"]
)
async def test_text_that_is_no_utf_8_is_refused(broken: bytes) -> None:
    """B-06: cut, overlong and impossible characters get 400 wherever they stand."""
    async with fleet() as ((sim,), door):
        requests = {
            "content": post(b"connection: close", body=BODY.replace(b"Hello", broken)),
            "model": post(b"connection: close", body=BODY.replace(b"sim-small", broken)),
            "name": post(b"connection: close", body=BODY.replace(b"content", broken)),
            "outside": post(b"connection: close", body=BODY + broken),
        }
        assert await differing(door, requests, 400) == {}
        assert await is_well(door, sim)


@pytest.mark.parametrize("size", range(1, 8))
async def test_characters_may_be_cut_anywhere(size: int) -> None:
    """B-06: a character of four bytes arrives whole, wherever the chunks of the upload cut it."""
    body = BODY.replace(b"Hello", "a\U0001f600b\U0001f680é漢".encode())
    async with fleet() as ((sim,), door):
        assert statuses(await raw(door.port, CHUNKED + in_chunks(body, size))) == [200]
        (seen,) = [each for each in sim.log.requests if each.method == "POST"]
        assert seen.body == body


EVIL = (
    "a\\r\\nX-Evil: 1",
    "\\u001b[31mred\\u001b[0m",
    '\\"},{\\"',
    "\\u2028\\u0085\\u0000",
    "%s%n{0}${x}",
    "\\u202etxt",
)


@pytest.mark.parametrize("evil", EVIL)
async def test_nothing_that_is_sent_breaks_a_line_of_the_log(evil: str, caplog: pytest.LogCaptureFixture) -> None:
    """S-17: model, user and request id may hold anything: one line for each record, and clean headers."""
    caplog.set_level(logging.DEBUG)
    async with fleet(fast(), auth={"mode": "none"}) as (_, door):
        for body in (BODY.replace(b"sim-small", evil.encode()), BODY[:-1] + b',"user":"%s"}' % evil.encode()):
            for key in (b"x-evil: " + evil.encode(), b"x-request-id: " + evil.encode()):
                answer = await raw(door.port, post(b"connection: close", key, body=body))
                head, _, _ = answer.partition(b"\r\n\r\n")
                assert b"evil" not in head.lower()
                assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\xff]", head)
    records = [logging.Formatter().format(each) for each in caplog.records if each.name.startswith("vllm_gateway")]
    assert records
    assert [text for text in records if not text.isprintable()] == []


async def test_a_replicas_own_words_break_no_line_either(caplog: pytest.LogCaptureFixture) -> None:
    """S-17: what a replica says of an error goes to the caller as JSON, and into no header and no line of the log."""
    caplog.set_level(logging.DEBUG)

    async def answer(visit: Visit, _: bytes) -> None:
        body = b'{"error":{"message":"a\\r\\nX-Evil: 1\\u001b[31m","type":"t","param":null,"code":400}}'
        await visit.say_json(body, "400 Bad Request")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.post(CHAT.decode(), json={"model": "scripted", "messages": []})
    assert reply.status_code == 400
    assert "x-evil" not in reply.headers
    assert reply.json()["error"]["message"].startswith("a\r\n")
    records = [logging.Formatter().format(each) for each in caplog.records if each.name.startswith("vllm_gateway")]
    assert [text for text in records if not text.isprintable()] == []


async def test_a_page_of_another_origin_gets_nothing() -> None:
    """S-19: no reply says that other origins may read it, and what a form or a simple request can send is no JSON."""
    origin = {"origin": "https://evil.example"}
    async with fleet() as ((sim,), door):
        preflight = await door.http.options(CHAT.decode(), headers={**origin, "access-control-request-method": "POST"})
        read = await door.http.get("/v1/models", headers=origin)
        assert preflight.status_code == 405
        for reply in (preflight, read):
            assert not any(name.startswith("access-control") for name in reply.headers)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"):
            for path in (CHAT.decode(), "/v1/sessions", "/init_session", "/chat"):
                simple = await door.http.post(path, content=BODY, headers={**origin, "content-type": kind})
                assert simple.status_code == 415, (path, kind)
        assert await is_well(door, sim)
