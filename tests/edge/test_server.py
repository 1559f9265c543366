"""The server's own part: signals, and the end."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable

import pytest
from typing_extensions import override

from tests.gateway import gateway
from tests.scripted import Visit, as_replica, scripted
from tests.waiting import PATIENCE_S, until
from vllm_gateway.edge.server import Stop, accepting_more

BODY = b'{"model":"scripted","messages":[],"stream":true}'
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n%scontent-length: %d\r\n\r\n%s"
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'


async def flood(visit: Visit, _: bytes) -> None:
    """Send events as fast as they are taken."""
    await visit.say_stream_head()
    while not visit.reader.at_eof():
        await visit.say_events(TOKEN.replace(b"x", b"x" * 50_000))


async def test_a_caller_who_does_not_read_does_not_hold_up_the_end() -> None:
    """After the drain, and a moment for the last words, every connection is closed."""
    async with scripted(as_replica(flood)) as replica, gateway(replica.url, drain_s=0) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=1024)
        writer.write(CHAT % (b"", len(BODY), BODY))
        await until(lambda: any(each.outstanding for each in door.parts.pool.replicas))
        await asyncio.sleep(0.3)
    with contextlib.suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(1_000_000), PATIENCE_S):
            pass
    writer.close()


async def test_a_caller_who_does_not_read_has_no_longer_than_others() -> None:
    """Past the time for the whole request, its connection is closed; nothing of it stays."""
    limits = {"total_s": 0.5}
    async with scripted(as_replica(flood)) as replica, gateway(replica.url, timeouts=limits) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=1024)
        writer.write(CHAT % (b"", len(BODY), BODY))
        await until(lambda: bool(door.parts.ledger.live))
        await until(lambda: not door.parts.ledger.live)
        assert [each.outstanding for each in door.parts.pool.replicas] == [0]
        writer.close()


def test_signals_ask_and_are_given_back() -> None:
    """While it listens, a signal is a question and not a death; afterwards it is what it was before."""
    before = signal.getsignal(signal.SIGTERM)
    stop = Stop()
    with stop.on_signals():
        signal.raise_signal(signal.SIGTERM)
        assert stop.times == 1
        signal.raise_signal(signal.SIGINT)
        assert stop.times == 2
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("ask", [Stop.ask, lambda _: signal.raise_signal(signal.SIGTERM)])
async def test_whoever_waits_for_the_end_is_woken(ask: Callable[[Stop], None]) -> None:
    """By a signal too; nobody looks again and again whether there was one."""
    stop = Stop()
    with stop.on_signals():
        waiting = asyncio.get_running_loop().create_task(stop.asked(within_s=600))
        await asyncio.sleep(0)
        ask(stop)
        await waiting
        assert stop.times == 1
        await stop.asked(within_s=600)  # it was asked before


async def test_whoever_waits_for_the_end_looks_up_now_and_then() -> None:
    """Something may have to be done meanwhile."""
    stop = Stop()
    await stop.asked(within_s=0.01)
    assert stop.times == 0


async def test_the_date_of_answers_is_renewed() -> None:
    """It is made once for all answers of a second, not for each."""
    async with gateway("http://127.0.0.1:9") as door:
        dates = {(await door.http.get("/livez")).headers["date"]}

        async def is_another() -> bool:
            dates.add((await door.http.get("/livez")).headers["date"])
            return len(dates) > 1

        while not await is_another():  # noqa: ASYNC110 - a clock tells nobody
            await asyncio.sleep(0.05)


async def test_a_second_request_to_stop_cuts_the_last_words() -> None:
    """Whoever asks twice does not wait for anything."""
    async with gateway("http://127.0.0.1:9") as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        door.stop()
        door.stop()
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()


async def test_connections_do_not_wait_for_one_turn_of_the_loop_each() -> None:
    """A turn is long when there are many streams; several of those who come meanwhile are accepted in the next one."""
    accepted, loop = list[asyncio.BaseTransport](), asyncio.get_running_loop()

    class Accepting(asyncio.Protocol):
        @override
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    servers = [await loop.create_server(Accepting, sock=each) for each in accepting_more([listener])]
    callers = [socket.create_connection(listener.getsockname()) for _ in range(64)]
    turns = 0
    while len(accepted) < len(callers):
        await asyncio.sleep(0)
        turns += 1
    assert turns < len(callers) / 2
    for caller in callers:
        caller.close()
    for transport in accepted:
        transport.close()
    for server in servers:
        server.close()
