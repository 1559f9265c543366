"""The server's own part: signals, and the end."""

import asyncio
import signal
import time

from tests.gateway import gateway
from tests.scripted import Visit, as_replica, scripted
from tests.waiting import until
from vllm_gateway.edge.server import Stop

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
        _, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=1024)
        writer.write(CHAT % (b"", len(BODY), BODY))
        await until(lambda: any(each.outstanding for each in door.parts.pool.replicas))
        await asyncio.sleep(0.3)
        began = time.perf_counter()
    assert time.perf_counter() - began < 1.8
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
