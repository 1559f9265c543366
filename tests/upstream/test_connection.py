"""The client side of HTTP/1.1, against servers that do what they like."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from tests.scripted import Scripted, Visit, scripted
from tests.waiting import PATIENCE_S, until
from vllm_gateway.exchange import Headers
from vllm_gateway.upstream.connection import MAX_HEAD_BYTES, Address, Connection, ConnectionFault, connect

REQUEST = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"


class Heard:
    """An answer that remembers what it was told."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.reads: list[bytes] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def head(self, status: int, headers: Headers) -> None:
        """Keep the head."""
        self.status, self.headers = status, headers

    def body(self, data: bytes) -> None:
        """Keep a read."""
        self.reads.append(data)

    def done(self) -> None:
        """Note the end."""
        self.over.set_result(None)

    def failed(self, fault: ConnectionFault) -> None:
        """Note the failure."""
        self.over.set_exception(fault)

    @property
    def text(self) -> bytes:
        """All of the body."""
        return b"".join(self.reads)


async def ask(connection: Connection, request: bytes = REQUEST) -> Heard:
    """Send a request and wait for the end of its answer."""
    heard = Heard()
    connection.send(request, heard)
    async with asyncio.timeout(PATIENCE_S):
        await heard.over
    return heard


async def to(replica: Scripted) -> Connection:
    """Connect to a scripted server."""
    return await connect(Address("127.0.0.1", replica.port), timeout_s=PATIENCE_S)


def saying(*answers: bytes) -> Callable[[Visit], Awaitable[None]]:
    """Return a play that answers one request with these writes, and then closes."""

    async def play(visit: Visit) -> None:
        await visit.request()
        for answer in answers:
            await visit.say(answer)
            await asyncio.sleep(0.01)

    return play


async def test_one_connection_answers_many_requests() -> None:
    """A free connection can be used again, and keeps answers apart."""

    async def play(visit: Visit) -> None:
        for number in (1, 2, 3):
            await visit.request()
            await visit.say_json(b"%d" % number)

    async with scripted(play) as replica:
        connection = await to(replica)
        answers = [(await ask(connection)).text for _ in range(3)]
        assert answers == [b"1", b"2", b"3"]
        assert len(replica.visits) == 1


async def test_all_chunks_of_one_read_arrive_in_one_call() -> None:
    """The listener is called once for every read of the socket, however the body is cut into chunks."""
    chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
    async with scripted(saying(chunks)) as replica:
        heard = await ask(await to(replica))
    assert heard.reads == [b"abcde"]


async def test_an_answer_without_length_ends_with_the_connection() -> None:
    """An orderly close ends an answer that has neither length nor chunks."""
    async with scripted(saying(b"HTTP/1.1 200 OK\r\n\r\n", b"to the ", b"end")) as replica:
        connection = await to(replica)
        heard = await ask(connection)
    assert heard.text == b"to the end"
    assert not connection.is_free


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-le",
    ],
)
async def test_an_answer_that_breaks_off_fails(answer: bytes) -> None:
    """Whatever part is missing, a short answer is never taken for a whole one."""
    async with scripted(saying(answer)) as replica:
        with pytest.raises(ConnectionFault) as caught:
            await ask(await to(replica))
    assert not caught.value.is_stale


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * (MAX_HEAD_BYTES + 10),
    ],
)
async def test_nonsense_fails(answer: bytes) -> None:
    """F-07: what is not one proper answer is an error, and its memory is bounded."""
    async with scripted(saying(answer)) as replica:
        connection = await to(replica)
        with pytest.raises(ConnectionFault):
            await ask(connection)
        assert not connection.is_open


async def test_interim_answers_are_passed_over() -> None:
    """A 1xx is not the answer."""
    answer = b"HTTP/1.1 102 Processing\r\nx: 1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    async with scripted(saying(answer)) as replica:
        heard = await ask(await to(replica))
    assert (heard.status, heard.text, heard.headers) == (200, b"{}", [(b"content-length", b"2")])


async def test_a_connection_closed_while_free_is_stale() -> None:
    """F-08: a reused connection that dies before its first byte says that the request may be sent again."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_json(b"{}")
        await visit.request()
        visit.reset()

    async with scripted(play) as replica:
        connection = await to(replica)
        await ask(connection)
        with pytest.raises(ConnectionFault) as caught:
            await ask(connection)
    assert caught.value.is_stale


async def test_a_first_request_that_gets_no_answer_is_not_stale() -> None:
    """On a new connection the request may have been seen, so it is not simply sent again."""

    async def play(visit: Visit) -> None:
        await visit.request()

    async with scripted(play) as replica:
        with pytest.raises(ConnectionFault) as caught:
            await ask(await to(replica))
    assert not caught.value.is_stale


async def test_words_that_nobody_asked_for_close_the_connection() -> None:
    """Bytes on a free connection cannot become the next answer."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_json(b"{}")
        await asyncio.sleep(0.02)
        await visit.say_json(b'"poison"')
        await visit.until_closed()

    async with scripted(play) as replica:
        connection = await to(replica)
        await ask(connection)
        await until(lambda: not connection.is_open)
    assert not connection.is_free


async def test_close_is_seen_by_the_replica() -> None:
    """F-17: closing in the middle of an answer reaches the other side at once, and tells the listener nothing."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_stream_head()
        await visit.until_closed()

    async with scripted(play) as replica:
        connection = await to(replica)
        heard = Heard()
        connection.send(REQUEST, heard)
        await until(lambda: heard.status == 200)
        connection.close()
        await until(lambda: replica.visits[0].closed_at is not None)
        assert not heard.over.done()


async def test_a_paused_connection_makes_the_replica_wait() -> None:
    """While reading is paused the sender cannot get rid of more than the buffers of two sockets."""
    sent = 0

    async def play(visit: Visit) -> None:
        nonlocal sent
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: 64000000\r\n\r\n")
        for _ in range(1000):
            await visit.say(b"x" * 64_000)
            sent += 64_000

    async with scripted(play) as replica:
        connection = await to(replica)
        heard = Heard()
        connection.send(REQUEST, heard)
        connection.pause()
        await asyncio.sleep(0.2)
        assert sent < 30_000_000
        connection.resume()
        async with asyncio.timeout(PATIENCE_S):
            await heard.over
        assert len(heard.text) == 64_000_000


async def test_a_busy_connection_takes_no_second_request() -> None:
    """Two requests at once on one connection would mix up callers."""

    async def play(visit: Visit) -> None:
        await visit.until_closed()

    async with scripted(play) as replica:
        connection = await to(replica)
        connection.send(REQUEST, Heard())
        with pytest.raises(RuntimeError):
            connection.send(REQUEST, Heard())
        connection.close()


async def test_nobody_listening_is_told_at_once() -> None:
    """F-01: a refused connection is a fault, not a time-out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionFault, match="no connection"):
        await connect(Address("127.0.0.1", port), timeout_s=5)


async def test_connecting_takes_no_longer_than_it_may() -> None:
    """F-01: a host that does not answer is given up in time."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = Address("127.0.0.1", full.getsockname()[1])
        waiting = []
        with pytest.raises(ConnectionFault, match="within"):  # noqa: PT012 - how many the backlog takes is the kernel's choice
            for _ in range(16):
                waiting.append(await connect(address, timeout_s=0.2))  # noqa: PERF401 - each must be made after the other
        for connection in waiting:
            connection.close()


async def test_a_switch_of_protocols_is_a_fault() -> None:
    """Nobody asked for one, and what follows it is no HTTP."""
    switch = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nPRI"
    async with scripted(saying(switch)) as replica:
        connection = await to(replica)
        with pytest.raises(ConnectionFault, match="not HTTP"):
            await ask(connection)
    assert not connection.is_free


async def test_an_answer_before_the_end_of_the_request_ends_the_connection() -> None:
    """The rest of the request is still on its way; another one would have to wait behind it."""

    async def play(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say_json(b"{}", "413 Too Large")
        await asyncio.sleep(1)

    size = 50_000_000  # more than the system takes in before somebody reads
    async with scripted(play) as replica:
        connection = await to(replica)
        heard = await ask(connection, b"POST /x HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        assert heard.status == 413
        assert not connection.is_free


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".invalid"])
async def test_a_name_that_cannot_be_one_is_a_fault(host: str) -> None:
    """It is told like any other name that leads nowhere."""
    with pytest.raises(ConnectionFault):
        await connect(Address(host, 80), timeout_s=2)
