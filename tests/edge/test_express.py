"""The express lane: what goes past the ASGI application, and that callers see no difference."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable

import httptools
import pytest

from tests.gateway import Gateway, gateway, raw
from tests.scripted import Play, Visit, as_replica, scripted
from tests.waiting import PATIENCE_S, until
from vllm_gateway.edge.connection import BoundedProtocol
from vllm_gateway.edge.express import ExpressCall, head_of
from vllm_gateway.edge.lane import HIGH_WATER_BYTES, Lane
from vllm_gateway.outcomes import Outcome

BODY = b'{"model":"scripted","messages":[]}'
STREAMED = b'{"model":"scripted","messages":[],"stream":true}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
ANSWER = b'{"id":"whole"}'
LAST = b"connection: close\r\n"
ROOM_BYTES = 1 << 20
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":%s}]}\n\n'


def post(*lines: bytes, body: bytes = BODY) -> bytes:
    """Return a request; lines are whole ones."""
    return b"".join([HEAD, *lines, b"content-length: %d\r\n\r\n" % len(body), body])


def keeping(seen: list[bytes]) -> Callable[[Visit, bytes], Awaitable[None]]:
    """Return a replica's answer that keeps what was asked."""

    async def answer(visit: Visit, request: bytes) -> None:
        seen.append(request.partition(b"\r\n\r\n")[2])
        await visit.say_json(ANSWER)

    return answer


async def streaming(visit: Visit, _: bytes) -> None:
    """Answer with three events."""
    await visit.say_stream_head()
    await visit.say_events(EVENT % b"null", EVENT % b'"stop"', b"data: [DONE]\n\n", is_last=True)


def well() -> Play:
    """Return a replica that answers."""
    return as_replica(keeping([]))


@pytest.fixture
def express_calls(monkeypatch: pytest.MonkeyPatch) -> list[ExpressCall]:
    """Return the calls that the express lane takes while the test runs."""
    calls: list[ExpressCall] = []
    run = ExpressCall.run

    async def noted(call: ExpressCall) -> None:
        calls.append(call)
        await run(call)

    monkeypatch.setattr(ExpressCall, "run", noted)
    return calls


def test_a_head_is_written_line_by_line() -> None:
    """Status, headers in their order, and the empty line."""
    head = head_of(200, [(b"a", b"1"), (b"b", b"2")])
    assert head == b"HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\n\r\n"


def test_a_head_ends_with_the_lines_that_are_ready() -> None:
    """They stand behind the headers as they are."""
    head = head_of(200, [(b"a", b"1")], b"b: 2\r\nc: 3\r\n")
    assert head == b"HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n"


@pytest.mark.parametrize("value", [b"1\r\nb: 2", b"1\n", b"\r1"])
def test_a_header_that_is_more_than_a_line_is_refused(value: bytes) -> None:
    """Nothing that reaches a header may add another one."""
    with pytest.raises(ValueError, match="more than one line"):
        head_of(200, [(b"a", value)])


async def test_what_replicas_answer_goes_past_the_application(
    express_calls: list[ExpressCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain POST of such a route is not told to the ASGI application at all."""
    monkeypatch.delattr(Lane, "answer")
    async with scripted(well()) as replica, gateway(replica.url, edge={"express": True}) as door:
        assert (await raw(door.port, post(LAST))).startswith(b"HTTP/1.1 200")
    assert len(express_calls) == 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(LAST).replace(b"HTTP/1.1", b"HTTP/1.0"),
        post(LAST).replace(b"/v1/chat", b"/v1/%63hat"),
        post(LAST).replace(b"POST /", b"POST http://x/"),
        post(LAST, b"origin: http://page.example\r\n"),
    ],
    ids=["HTTP/1.0", "escaped", "absolute", "a browser's"],
)
async def test_the_rest_is_the_applications(express_calls: list[ExpressCall], request_bytes: bytes) -> None:
    """What needs more than the lane knows takes the other one, and is answered as well."""
    settings = {"edge": {"express": True}, "cors_origins": ("http://page.example",)}
    async with scripted(well()) as replica, gateway(replica.url, **settings) as door:
        answer = await raw(door.port, request_bytes)
    assert answer.startswith(b"HTTP/1.1 200")
    assert express_calls == []


async def test_it_can_be_switched_off(express_calls: list[ExpressCall]) -> None:
    """`edge.express: false` sends everything through the application."""
    async with scripted(well()) as replica, gateway(replica.url, edge={"express": False}) as door:
        assert (await raw(door.port, post(LAST))).startswith(b"HTTP/1.1 200")
    assert express_calls == []


@pytest.mark.both_lanes
async def test_leave_to_send_is_given_when_the_body_is_wanted() -> None:
    """`Expect: 100-continue`: first the interim answer, then, with the body, the answer."""
    seen: list[bytes] = []
    head, _, body = post(LAST, b"expect: 100-continue\r\n").partition(b"\r\n\r\n")
    async with scripted(as_replica(keeping(seen))) as replica, gateway(replica.url) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(head + b"\r\n\r\n")
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        answer = await asyncio.wait_for(reader.read(-1), PATIENCE_S)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert seen == [BODY]


@pytest.mark.both_lanes
async def test_who_waits_for_leave_to_send_too_much_is_refused_at_once() -> None:
    """No interim answer: the refusal comes before the body does."""
    async with scripted(well()) as replica, gateway(replica.url, limits={"max_body_bytes": 1024}) as door:
        request = post(LAST, b"expect: 100-continue\r\n", body=b" " * 1025)
        answer = await raw(door.port, request.rstrip(b" "))
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.both_lanes
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/v1/sessions"])
async def test_who_got_no_leave_to_send_is_not_heard_further(path: bytes) -> None:
    """Whether the body follows or the next request, nobody can know: one must not be taken for the other."""
    head = post(b"expect: 100-continue\r\n", b"content-encoding: gzip\r\n").removesuffix(BODY)
    async with scripted(well()) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, head.replace(b"/v1/chat/completions", path))
    assert answer.startswith(b"HTTP/1.1 415")
    assert b"connection: close\r\n" in answer


@pytest.mark.both_lanes
async def test_who_had_sent_all_without_leave_is_heard_further() -> None:
    """The body came in spite of all: it is clear where the next request begins."""
    async with scripted(well()) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, post(b"expect: 100-continue\r\n") + post(LAST))
    assert answer.count(b"HTTP/1.1 200") == 2


@pytest.mark.both_lanes
async def test_a_body_in_chunks_is_taken_whole() -> None:
    """However it was cut, the replica gets it in one piece, once."""
    seen: list[bytes] = []
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
    async with scripted(as_replica(keeping(seen))) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, HEAD + LAST + b"transfer-encoding: chunked\r\n\r\n" + chunks)
    assert answer.startswith(b"HTTP/1.1 200")
    assert seen == [BODY]


@pytest.mark.both_lanes
async def test_a_body_in_chunks_that_is_too_large_is_refused() -> None:
    """Its length is not announced, so it is counted."""
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    head = HEAD + LAST + b"transfer-encoding: chunked\r\n\r\n"
    async with scripted(well()) as replica, gateway(replica.url, limits={"max_body_bytes": 2048}) as door:
        answer = await raw(door.port, head + chunk * 300 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.both_lanes
async def test_one_connection_carries_many_requests() -> None:
    """One after the other, and several at once: the answers come in the order of the requests."""
    seen: list[bytes] = []
    bodies = [b'{"model":"scripted","messages":[],"n":%d}' % number for number in (1, 2, 3, 4)]
    async with scripted(as_replica(keeping(seen))) as replica, gateway(replica.url) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(post(body=bodies[0]))
        assert await asyncio.wait_for(reader.readuntil(ANSWER), PATIENCE_S)
        writer.write(b"".join(post(body=body) for body in bodies[1:3]) + post(LAST, body=bodies[3]))
        answer = await asyncio.wait_for(reader.read(-1), PATIENCE_S)
        writer.close()
    assert answer.count(b"HTTP/1.1 200") == answer.count(ANSWER) == 3
    assert answer.count(b"connection: close") == 1
    assert seen == bodies


@pytest.mark.both_lanes
async def test_a_stream_is_framed_anew() -> None:
    """Whole events in chunks, and the last chunk at its end; the connection stays."""
    async with scripted(as_replica(streaming)) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, post(body=STREAMED) + post(LAST, body=STREAMED))
        await until(lambda: not door.parts.ledger.live)
    heard = Heard()
    parser = httptools.HttpResponseParser(heard)
    parser.feed_data(answer)
    assert heard.bodies == [EVENT % b"null" + EVENT % b'"stop"' + b"data: [DONE]\n\n"] * 2


class Heard:
    """Replies, as a client understands them."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def on_message_begin(self) -> None:
        """Begin another one."""
        self.bodies.append(b"")

    def on_body(self, data: bytes) -> None:
        """Add to it."""
        self.bodies[-1] += data


@pytest.mark.both_lanes
async def test_a_failure_of_the_gateway_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong inside, the caller gets a status, and the connection is not left hanging."""
    async with scripted(well()) as replica, gateway(replica.url) as door:
        monkeypatch.setattr(type(door.parts.pipeline), "run", _fail)
        answer = await raw(door.port, post(LAST))
    assert answer.startswith(b"HTTP/1.1 500")


async def _fail(*_: object) -> None:
    raise LookupError("a defect")


@pytest.mark.both_lanes
@pytest.mark.parametrize("answer", [keeping([]), streaming])
async def test_who_leaves_with_the_answer_under_way_is_counted_once(
    answer: Callable[[Visit, bytes], Awaitable[None]],
) -> None:
    """A caller who closes while the replica thinks is gone, and the connection to the replica is closed."""

    async def thinking(visit: Visit, _: bytes) -> None:
        await visit.until_closed()

    async with scripted(as_replica(thinking)) as replica, gateway(replica.url) as door:
        await _ask_and_leave(door, STREAMED if answer is streaming else BODY)
        await until(lambda: door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 1})
        await until(lambda: any(visit.closed_at for visit in replica.visits))


@pytest.mark.both_lanes
async def test_who_sent_much_and_leaves_is_noticed() -> None:
    """A body that comes before it is wanted stops the reading of the connection, but only for so long."""

    async def thinking(visit: Visit, _: bytes) -> None:
        await visit.until_closed()

    async with scripted(as_replica(thinking)) as replica, gateway(replica.url) as door:
        await _ask_and_leave(door, BODY + b" " * 100_000)
        await until(lambda: door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 1})


@pytest.mark.both_lanes
async def test_who_takes_no_answers_is_not_given_more_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests stand behind each other: what is not taken would be kept in memory."""
    made: list[asyncio.Transport] = []
    make = BoundedProtocol.connection_made

    def keep(connection: BoundedProtocol, transport: asyncio.Transport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made.append(transport)
        make(connection, transport)

    monkeypatch.setattr(BoundedProtocol, "connection_made", keep)
    async with scripted(well()) as replica, gateway(replica.url) as door:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", door.port))
        reader, writer = await asyncio.open_connection(sock=slow, limit=1024)  # and no more is taken before it is read
        writer.write(post(body=b"no JSON") * 999 + post(LAST, body=b"no JSON"))
        await until(lambda: made[0].get_write_buffer_size() > HIGH_WATER_BYTES)
        for _ in range(100):
            assert (await door.http.get("/livez")).status_code == 200
        assert made[0].get_write_buffer_size() < 2 * HIGH_WATER_BYTES
        made[0].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM_BYTES)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
        answers = await asyncio.wait_for(reader.read(-1), PATIENCE_S)
        writer.close()
    assert answers.count(b"HTTP/1.1 400") == 1000


async def _ask_and_leave(door: Gateway, body: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(post(body=body))
    await until(lambda: any(each.outstanding for each in door.parts.pool.replicas))
    writer.close()


@pytest.mark.both_lanes
async def test_a_connection_is_gone_when_it_was_closed() -> None:
    """It and its last request do not hold each other until Python searches for such."""

    def there() -> int:
        return sum(isinstance(each, ExpressCall | BoundedProtocol) for each in gc.get_objects())

    async with scripted(well()) as replica, gateway(replica.url) as door:
        gc.collect()
        kept_by_others = there()
        gc.disable()
        try:
            assert (await raw(door.port, post() + post(LAST))).count(b"HTTP/1.1 200") == 2
            await until(lambda: there() <= kept_by_others)
        finally:
            gc.enable()
