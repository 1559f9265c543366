"""Requests that two servers would cut apart in two places: refused, and nothing behind them is ever read."""

import asyncio

import pytest

from tests.edge.kept_open import kept_open
from tests.gateway import raw
from tests.waiting import PATIENCE_S
from tests.wire.hostile import BODY, CHAT, SECOND, differing, is_well, post, statuses
from tests.wire.sims import asked, fleet

pytestmark = pytest.mark.both_lanes

HEAD = b"POST %s HTTP/1.1\r\nhost: x\r\n" % CHAT
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = b"content-length: %d\r\n" % len(BODY)

FRAMES = {
    "length and chunked": LENGTH + CHUNKED + b"\r\n" + CHUNKS,
    "chunked and length": CHUNKED + LENGTH + b"\r\n" + CHUNKS,
    "chunked twice": CHUNKED * 2 + b"\r\n" + CHUNKS,
    "chunked, chunked": b"transfer-encoding: chunked, chunked\r\n\r\n" + CHUNKS,
    "identity, then chunked": b"transfer-encoding: identity\r\n" + CHUNKED + b"\r\n" + CHUNKS,
    "chunked, identity": b"transfer-encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "identity, chunked": b"transfer-encoding: identity, chunked\r\n\r\n" + CHUNKS,
    "gzip, chunked": b"transfer-encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "identity": b"transfer-encoding: identity\r\n" + LENGTH + b"\r\n" + BODY,
    "xchunked": b"transfer-encoding: xchunked\r\n\r\n" + CHUNKS,
    "chunkedx": b"transfer-encoding: chunkedx\r\n\r\n" + CHUNKS,
    "vertical tab": b"transfer-encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "quoted": b'transfer-encoding: "chunked"\r\n\r\n' + CHUNKS,
    "parameter": b"transfer-encoding: chunked;q=1\r\n\r\n" + CHUNKS,
    "no encoding": b"transfer-encoding:\r\n\r\n" + CHUNKS,
    "space before colon": b"transfer-encoding : chunked\r\n\r\n" + CHUNKS,
    "folded": b"transfer-encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "length +": b"content-length: +5\r\n\r\nhello",
    "length -": b"content-length: -5\r\n\r\nhello",
    "length 0x": b"content-length: 0x5\r\n\r\nhello",
    "length 5,5": b"content-length: 5,5\r\n\r\nhello",
    "length 5 5": b"content-length: 5 5\r\n\r\nhello",
    "length 5_0": b"content-length: 5_0\r\n\r\nhello",
    "length 5.0": b"content-length: 5.0\r\n\r\nhello",
    "no length": b"content-length:\r\n\r\nhello",
    "huge length": b"content-length: 99999999999999999999999\r\n\r\nhello",
    "two lengths": b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "twice the same length": LENGTH * 2 + b"\r\n" + BODY,
    "only LF": LENGTH.replace(b"\r", b"") + b"\n" + BODY,
    "LF at the end of the head": LENGTH + b"\n" + BODY,
    "bare CR": b"x: a\r" + LENGTH + b"\r\n" + BODY,
    "chunk size 0_0": CHUNKED + b"\r\n0_0\r\n\r\n",
    "chunk size 0x": CHUNKED + b"\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size +": CHUNKED + b"\r\n+5\r\nhello\r\n0\r\n\r\n",
    "chunk size -": CHUNKED + b"\r\n-1\r\n\r\n",
    "chunk size with space": CHUNKED + b"\r\n5 \r\nhello\r\n0\r\n\r\n",
    "chunk size too large": CHUNKED + b"\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "no chunk size": CHUNKED + b"\r\n\r\nhello\r\n0\r\n\r\n",
    "chunk with LF": CHUNKED + b"\r\n5\nhello\r\n0\r\n\r\n",
    "chunk extension with LF": CHUNKED + b"\r\n5;a\nb\r\nhello\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKED + b"\r\n5\r\nhelloworld\r\n0\r\n\r\n",
    "length in the trailer": CHUNKED + b"\r\n0\r\ncontent-length: 5\r\n\r\n",
}


async def test_bodies_of_unclear_length_are_refused() -> None:
    """S-04: 400 and the end of the connection; what stands behind them is never taken for a request."""
    async with fleet() as ((sim,), door):
        requests = {name: HEAD + frame + SECOND for name, frame in FRAMES.items()}
        assert await differing(door, requests, 400) == {}
        requests = {f"{name}, by itself": HEAD + frame for name, frame in FRAMES.items() if name != "no chunk size"}
        assert await differing(door, requests, 400) == {}
        assert await is_well(door, sim)


async def test_bodies_of_unclear_length_are_refused_behind_a_good_request() -> None:
    """S-04: a connection on which all went well before, with the same lines even, is not trusted any more for it."""
    async with fleet() as ((sim,), door):
        for name, frame in FRAMES.items():
            async with kept_open(door) as line:
                for _ in range(2):
                    assert statuses(await line.ask(HEAD + LENGTH + b"\r\n" + BODY)) == [200]
                line.writer.write(HEAD + frame + SECOND)
                answer = await asyncio.wait_for(line.reader.read(-1), PATIENCE_S)
                assert (name, statuses(answer)) == (name, [400])
                assert b'"object":"list"' not in answer
        assert len(asked(sim)) == 2 * len(FRAMES)


async def test_what_trails_a_known_request_is_no_part_of_it() -> None:
    """S-04: also where the same head came before by itself, the announced length ends the body."""
    async with fleet() as ((sim,), door), kept_open(door) as line:
        for _ in range(2):
            assert statuses(await line.ask(post())) == [200]
        assert statuses(await line.ask(post() + SECOND)) == [200]
        assert b'"object":"list"' in await line.answer()
        line.writer.write(post() + b"NONSENSE\r\n\r\n")
        answer = await asyncio.wait_for(line.reader.read(-1), PATIENCE_S)
        assert statuses(answer)[-1:] == [400] or answer == b""
        assert len(asked(sim)) <= 4


async def test_chunks_are_unknown_to_http_1_0() -> None:
    """S-04: an older server would not see them, so the connection ends."""
    head = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED + b"\r\n"
    async with fleet() as ((sim,), door):
        assert await differing(door, {"1.0": head + CHUNKS + SECOND}, 400) == {}
        assert await is_well(door, sim)


@pytest.mark.parametrize("tail", [b"NONSENSE\r\n\r\n", BODY, b"\x00" * 64, b"GET /v1/models HTTP/1.1\r\n\r\n"])
async def test_what_trails_a_request_is_no_part_of_it(tail: bytes) -> None:
    """S-04: bytes behind the announced body are the beginning of another request, or the end of the connection."""
    async with fleet() as ((sim,), door):
        answer = await raw(door.port, post() + tail)
        assert statuses(answer)[-1:] == [400]
        assert len(asked(sim)) <= 1
        assert b'"object":"list"' not in answer


async def test_nothing_is_read_behind_the_last_request() -> None:
    """S-04: a caller who says that it will close is believed."""
    async with fleet() as ((sim,), door):
        answer = await raw(door.port, post(b"connection: close") + post() + SECOND)
        assert statuses(answer) == [200]
        assert len(asked(sim)) == 1


async def test_a_clean_pipeline_is_answered_in_order() -> None:
    """S-04: several good requests at once are no attack: each gets its own answer, and the replica sees each once."""
    async with fleet() as ((sim,), door):
        chunked = HEAD + b"connection: close\r\n" + CHUNKED + b"\r\n" + CHUNKS
        answer = await raw(door.port, post() + SECOND + chunked)
        assert statuses(answer) == [200, 200, 200]
        assert answer.index(b"chat.completion") < answer.index(b'"object":"list"') < answer.rindex(b"chat.completion")
        assert len(asked(sim)) == 2


async def test_a_trailer_is_not_a_header() -> None:
    """S-04: what comes behind the last chunk opens nothing, and is not passed on."""
    key = "a-key-of-the-test"
    trailer = b"authorization: Bearer %s\r\nanthropic-beta: smuggled\r\nx-request-id: smuggled-id\r\n" % key.encode()
    chunks = CHUNKS[:-2] + trailer + b"\r\n"
    head = HEAD + b"connection: close\r\n" + CHUNKED
    async with fleet(auth={"mode": "keys", "client_keys": (key,)}) as ((sim,), door):
        without = await raw(door.port, head + b"\r\n" + chunks)
        allowed = await raw(door.port, head + b"x-api-key: %s\r\n\r\n" % key.encode() + chunks)
        assert (statuses(without), statuses(allowed)) == ([401], [200])
        assert b"smuggled" not in allowed
        (seen,) = [each for each in sim.log.requests if each.method == "POST"]
        assert not any(b"smuggled" in value for _, value in seen.headers)
