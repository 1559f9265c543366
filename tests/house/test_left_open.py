"""Tests leave nothing open, and whoever does is told so itself."""

import asyncio
import warnings

import pytest

from tests.left_open import LeftOpen, WatchedLoop


def leave() -> None:
    """Run a test of one's own that leaves a server and a connection open."""
    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        runner.run(listens())


async def listens() -> tuple[asyncio.AbstractServer, asyncio.Transport]:
    """Open a server and a connection to it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
    return server, transport


def test_what_is_left_open_is_named_and_closed() -> None:
    """The test that leaves a connection fails at its own end, and no later test hears of it."""
    with warnings.catch_warnings(record=True) as heard, pytest.raises(LeftOpen, match="TCPTransport"):
        leave()
    assert not heard


def test_what_was_closed_is_no_fault() -> None:
    """Even at the last moment: nobody has to wait until it is gone."""
    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        server, transport = runner.run(listens())
        server.close()
        transport.abort()
