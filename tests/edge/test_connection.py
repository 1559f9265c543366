"""One connection of a caller: its heads, its order, its time, and who leaves it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.gateway import gateway, raw
from tests.scripted import Visit, as_replica, scripted
from tests.waiting import PATIENCE_S, until
from vllm_gateway.edge.connection import BoundedProtocol, bounded_protocol
from vllm_gateway.outcomes import Outcome

pytestmark = pytest.mark.both_lanes

BODY = b'{"model":"scripted","messages":[],"stream":true}'
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n%scontent-length: %d\r\n\r\n%s"
MOST_READ_BYTES = 256 * 1024
LONG = b"x: %s\r\n" % (b"y" * 4096)
LAST_WORD = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'


async def well(visit: Visit, _: bytes) -> None:
    """Answer."""
    await visit.say_json(b"{}")


async def wait_for_ever(visit: Visit, _: bytes) -> None:
    """Say nothing until the gateway closes."""
    await visit.until_closed()


async def talk_for_ever(visit: Visit, _: bytes) -> None:
    """Send events until the gateway closes."""
    await visit.say_stream_head()
    while not visit.reader.at_eof():
        await visit.say_events(TOKEN)
        await asyncio.sleep(0.005)


def test_the_bound_is_set_without_changing_the_class_for_others() -> None:
    """Two servers of one process can have two bounds."""
    small = bounded_protocol(max_head_bytes=1024)
    assert issubclass(small, BoundedProtocol)
    assert small.max_head_bytes == 1024
    assert BoundedProtocol.max_head_bytes == 65_536


async def test_the_bound_is_the_settings() -> None:
    """A head within the setting passes, one over it does not."""
    async with scripted(as_replica(well)) as replica, gateway(replica.url, limits={"max_header_bytes": 2048}) as door:
        assert (await door.http.get("/livez", headers={"x": "y" * 1500})).status_code == 200
        assert (await door.http.get("/livez", headers={"x": "y" * 2500})).status_code == 431


async def test_requests_that_arrive_together_are_answered_in_order() -> None:
    """Pipelined requests on one connection get their answers one after the other."""
    request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n" * 2
    request += b"GET /nope HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, request)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.index(b"HTTP/1.1 404") > answer.rindex(b"HTTP/1.1 200")


@pytest.mark.parametrize("answer", [wait_for_ever, talk_for_ever])
async def test_a_caller_who_leaves_with_requests_waiting_is_noticed(
    answer: Callable[[Visit, bytes], Awaitable[None]],
) -> None:
    """The request under way ends, although uvicorn tells only the one that came last."""
    request = CHAT % (b"", len(BODY), BODY)
    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(request + b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        await until(lambda: any(each.outstanding for each in door.parts.pool.replicas))
        await asyncio.sleep(0.05)
        writer.close()
        await until(lambda: not door.parts.ledger.live)
        assert door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 1}


@pytest.mark.parametrize(
    "request_bytes", [CHAT % (LONG, 1, b"x"), b"GET /livez HTTP/1.1\r\nhost: x\r\n" + LONG + b"\r\n"]
)
async def test_a_crowd_of_requests_waits_outside(monkeypatch: pytest.MonkeyPatch, request_bytes: bytes) -> None:
    """No more of them are read than a read has in it, however many of those before are answered meanwhile."""
    count, most = 6 * MOST_READ_BYTES // len(request_bytes), 0
    read = BoundedProtocol.data_received

    def counted(connection: BoundedProtocol, data: bytes) -> None:
        nonlocal most
        read(connection, data)
        most = max(most, len(connection.pipeline))

    monkeypatch.setattr(BoundedProtocol, "data_received", counted)
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, request_bytes * count + LAST_WORD)
    assert answer.count(b"HTTP/1.1 ") == count + 1
    assert most < 2 * MOST_READ_BYTES // len(request_bytes)


async def test_nonsense_behind_a_request_ends_its_answer_and_adds_nothing() -> None:
    """An error in the middle of an answer would be taken for a part of it."""
    async with scripted(as_replica(talk_for_ever)) as replica, gateway(replica.url) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(CHAT % (b"", len(BODY), BODY))
        answer = await reader.readuntil(b"data: ")
        writer.write(b"NONSENSE\x00\r\n\r\n")
        answer += await asyncio.wait_for(reader.read(-1), PATIENCE_S)
        writer.close()
        await until(lambda: not door.parts.ledger.live)
        assert door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 1}
    assert answer.count(b"HTTP/1.1") == 1
    assert not answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("name", [b"Upgrade", b"upgrade", b"UPGRADE"])
async def test_an_offer_of_another_protocol_is_ignored(name: bytes) -> None:
    """Java's client offers HTTP/2 with its first request, and means the body all the same."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\n%s: h2c\r\nHTTP2-Settings: AAMA\r\n" % name
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, CHAT % (offer, len(BODY), BODY), until_closed=False)
    assert answer.startswith(b"HTTP/1.1 200")


async def test_an_offer_behind_another_request_is_refused() -> None:
    """The parser has gone on by then: it would take the body for another protocol's, and nobody would answer it."""
    offer = CHAT % (b"Connection: Upgrade\r\nUpgrade: h2c\r\n", len(BODY), BODY)
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, offer * 2)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"connection: close" in answer


@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_a_body_stays_as_it_is_wherever_its_head_was_cut(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    """What looks like an offer is none in a body; one that grew by it would push out a request that nobody sent."""
    smuggled = b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n"
    body = b"\nupgrade:" * (len(smuggled) // 2) + smuggled
    cut_heads(monkeypatch, cut)
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, CHAT % (b"", len(body), body) + LAST_WORD)
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 404" not in answer


@pytest.mark.parametrize("cut", [-14, -13, -12, -11, -7, -5, -4, 1, 2, 3])
async def test_an_offer_is_ignored_wherever_its_head_was_cut(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    """A head may come in pieces, and the offer as well."""
    offer = b"connection: upgrade\r\nupgrade: h2c\r\n"
    request = b"GET /livez HTTP/1.1\r\nhost: x\r\n" + offer + b"\r\n"
    cut_heads(monkeypatch, cut)
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, request + LAST_WORD)
    assert answer.count(b"HTTP/1.1 200") == 2


def cut_heads(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Have the first head of every read come in two pieces, cut so many bytes behind the beginning of its end."""
    read = BoundedProtocol.data_received

    def read_in_pieces(connection: BoundedProtocol, data: bytes) -> None:
        end = data.find(b"\r\n\r\n") + at
        read(connection, data[:end])
        read(connection, data[end:])

    monkeypatch.setattr(BoundedProtocol, "data_received", read_in_pieces)


async def test_empty_lines_before_a_request_hide_nothing_of_its_head() -> None:
    """They are allowed (RFC 9112, 2.2), and what is refused without them is refused behind them."""
    head = b"\r\n\r\nGET /livez HTTP/1.1\r\nhost: x\r\n%s\r\n"
    offer = b"connection: upgrade\r\nupgrade: h2c\r\n"
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        assert (await raw(door.port, head % b"x: \xc3\xa9\r\n")).startswith(b"HTTP/1.1 400")
        assert (await raw(door.port, head % offer + LAST_WORD)).startswith(b"HTTP/1.1 200")
        assert (await raw(door.port, b"\r\n" * 40_000)).startswith(b"HTTP/1.1 431")


async def test_http_1_0_is_answered_and_closed() -> None:
    """An old client gets its answer and the end of the connection."""
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, b"GET /livez HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"ok":true}')


async def test_a_connection_that_is_used_no_more_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look after the time that a free connection may stay open, it is gone; until then it can be used again."""
    monkeypatch.setattr("vllm_gateway.serve.process._KEEP_ALIVE_S", 1)
    request = CHAT % (b"", len(BODY), BODY)
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        for _ in range(2):
            writer.write(request)
            assert (await reader.readuntil(b"\r\n\r\n{}")).startswith(b"HTTP/1.1 200")
        assert await asyncio.wait_for(reader.read(-1), PATIENCE_S) == b""
        writer.close()
