"""Callers who take their time: they are told so and sent away, and nobody else notices them."""

import asyncio
import contextlib
import resource
import time

import pytest

from tests.gateway import Gateway
from tests.waiting import PATIENCE_S, until
from tests.wire.hostile import BODY, CHAT, post, statuses
from tests.wire.sims import asked, fast, fleet
from vllm_gateway.outcomes import Outcome

pytestmark = pytest.mark.both_lanes

LIMIT_S = 0.3
HEAD = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (CHAT, len(BODY))


async def trickle(door: Gateway, at_once: bytes, slowly: bytes, *, every_s: float = 0.02) -> tuple[bytes, float]:
    """Send some bytes at once and the others one by one, until the other side closes; return what it said, and when.

    It closes before all were sent.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    began = time.perf_counter()

    async def send() -> None:
        writer.write(at_once)
        for byte in slowly:
            await asyncio.sleep(every_s)
            with contextlib.suppress(ConnectionError, RuntimeError):  # uvloop says so when the other side has closed
                writer.write(bytes([byte]))

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        sending = group.create_task(send())
        answer = await reader.read(-1)
        assert not slowly or not sending.done()
        sending.cancel()
    writer.close()
    return answer, time.perf_counter() - began


@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [(HEAD[:-4], b""), (b"", HEAD[:60]), (b"G", b""), (HEAD[:-4], b"\r\n" + b"x: y\r\n" * 20)],
    ids=["stops", "trickles", "one byte", "header after header"],
)
async def test_a_slow_head_is_refused(at_once: bytes, slowly: bytes) -> None:
    """B-02: a head that is not complete in time gets 408 and the end of the connection, whatever its speed."""
    async with fleet(timeouts={"request_head_s": LIMIT_S}) as ((sim,), door):
        answer, after_s = await trickle(door, at_once, slowly)
    assert statuses(answer) == [408]
    assert b"connection: close" in answer
    assert b'"code":"request_timeout"' in answer
    assert b'"type":"invalid_request_error"' in answer
    assert after_s > LIMIT_S * 0.9
    assert asked(sim) == []


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_a_silent_connection_is_closed(sent: bytes) -> None:
    """B-02: who connects and asks nothing is sent away without a word, so that nothing is taken for an answer."""
    async with fleet(timeouts={"request_head_s": LIMIT_S}) as (_, door):
        try:
            answer, _ = await trickle(door, sent, sent * 100)
        except* ConnectionResetError:  # a line was on its way that nobody read any more
            answer = b""
    assert answer == b""


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (CHAT, b'{"error":{"message":'),
        (b"/v1/messages", b'{"type":"error",'),
        (b"/api/chat", b'{"detail":'),
        (b"/v1/sessions", b'{"error":{"message":'),
        (b"/init_session", b'{"detail":'),
    ],
)
@pytest.mark.parametrize("slowly", [b"", BODY[2:60]], ids=["stops", "trickles"])
async def test_a_slow_body_is_refused(path: bytes, shape: bytes, slowly: bytes) -> None:
    """B-02: a body that is not complete in time gets 408 in the shape of its route, and the connection ends."""
    async with fleet(timeouts={"request_body_s": LIMIT_S}) as ((sim,), door):
        answer, after_s = await trickle(door, HEAD.replace(CHAT, path) + BODY[:2], slowly)
        assert not door.parts.ledger.live
    assert statuses(answer) == [408]
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.partition(b"\r\n\r\n")[2].startswith(shape)
    assert b'"request_timeout"' in answer or path == b"/v1/messages"
    assert after_s > LIMIT_S * 0.9
    assert asked(sim) == []


async def test_a_slow_body_is_counted_as_a_bad_request() -> None:
    """B-02: it is the caller's fault, and told as such."""
    async with fleet(timeouts={"request_body_s": LIMIT_S}) as (_, door):
        await trickle(door, HEAD, b"")
        assert door.parts.ledger.outcomes == {Outcome.BAD_REQUEST: 1}


async def test_a_body_that_nobody_waits_for_has_no_longer() -> None:
    """B-02: a request that was answered without its body does not hold the connection for ever."""
    async with fleet(timeouts={"request_body_s": LIMIT_S}) as (_, door):
        head = b"GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n"
        answer, _ = await trickle(door, head, b"x" * 200)
    assert statuses(answer) == [200]


async def test_the_time_of_a_second_request_is_its_own() -> None:
    """B-02: a connection that was idle or busy for long gives its next request the whole time, and not more."""
    limit_s = 2 * LIMIT_S
    async with fleet(timeouts={"request_head_s": limit_s}) as (_, door):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        for _ in range(2):
            writer.write(post()[:20])
            await asyncio.sleep(limit_s * 0.55)
            writer.write(post()[20:])
            assert statuses(await reader.readuntil(b"\r\n\r\n")) == [200]
            await asyncio.sleep(limit_s * 0.55)
        writer.write(post()[:20])
        assert statuses(await asyncio.wait_for(reader.read(-1), PATIENCE_S))[-1:] == [408]
        writer.close()


async def test_the_beginning_of_a_next_request_does_not_end_an_answer() -> None:
    """B-02: while an earlier answer runs, the next head may wait for it."""
    streamed = BODY[:-2] + b'12,"stream":true}'
    async with fleet(fast(itl_ms=50), timeouts={"request_head_s": 0.1}) as (_, door):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(post(body=streamed) + b"GET /li")
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), PATIENCE_S)
        assert b"data: [DONE]" in answer
        writer.close()


async def test_zero_switches_both_off() -> None:
    """B-02: without limits a caller may take its time."""
    async with fleet(timeouts={"request_head_s": 0, "request_body_s": 0}) as (_, door):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        for part in (HEAD[:10], HEAD[10:], BODY[:10], BODY[10:]):
            await asyncio.sleep(0.1)
            writer.write(part)
        assert statuses(await reader.readuntil(b"\r\n\r\n")) == [200]
        writer.close()


async def test_hundreds_of_slow_callers_change_nothing_for_others() -> None:
    """B-02: 500 connections that never finish their heads or bodies; requests in between are answered as fast."""

    async def times(door: Gateway) -> list[float]:
        taken = []
        for _ in range(60):
            began = time.perf_counter()
            reply = await door.http.post(CHAT.decode(), content=BODY, headers={"content-type": "application/json"})
            assert reply.status_code == 200
            taken.append(time.perf_counter() - began)
        return sorted(taken)

    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, min(most, 4096)), most))
    async with fleet(timeouts={"request_head_s": 2, "request_body_s": 2}) as (_, door):
        alone = await times(door)
        slow = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(500)]
        for number, (_, writer) in enumerate(slow):
            writer.write((HEAD[:40], HEAD + BODY[:5])[number % 2])
        together = await times(door)
        assert together[30] < alone[30] * 3 + 0.01
        assert together[-2] < alone[-2] * 3 + 0.1
        answers = await asyncio.gather(*(asyncio.wait_for(reader.read(-1), PATIENCE_S) for reader, _ in slow))
        assert {tuple(statuses(each)) for each in answers} == {(408,)}
        for _, writer in slow:
            writer.close()
        await until(lambda: not door.parts.ledger.live)
