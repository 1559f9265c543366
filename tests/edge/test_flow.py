"""When a connection is not read from."""

import asyncio
import socket

from vllm_gateway.edge.flow import MOST_WAITING, BoundedFlow


async def test_reading_goes_on_when_few_enough_wait() -> None:
    """Whoever wants it to go on earlier is not heard."""
    ours, theirs = socket.socketpair()
    with theirs:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        waiting = ["request"] * (MOST_WAITING + 1)
        flow = BoundedFlow(transport, waiting)
        flow.pause_reading()
        flow.resume_reading()
        assert flow.read_paused
        waiting.pop()
        flow.resume_reading()
        assert not flow.read_paused
        transport.abort()
