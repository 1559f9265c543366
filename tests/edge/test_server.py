"""The server's own part: signals, heads and keep-alive."""

import signal

from tests.gateway import gateway, raw
from tests.scripted import Visit, as_replica, scripted
from vllm_gateway.edge.server import BoundedProtocol, Stop, bounded_protocol


async def well(visit: Visit, _: bytes) -> None:
    """Answer."""
    await visit.say_json(b"{}")


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


async def test_http_1_0_is_answered_and_closed() -> None:
    """An old client gets its answer and the end of the connection."""
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        answer = await raw(door.port, b"GET /livez HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"ok":true}')


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
