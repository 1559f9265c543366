"""Connections on which nothing is asked."""

import asyncio
import gc
import weakref

import pytest
from typing_extensions import override

from tests.edge.test_connection import BODY, CHAT, well
from tests.gateway import gateway
from tests.scripted import as_replica, scripted
from tests.waiting import until
from vllm_gateway.edge import idleness
from vllm_gateway.edge.connection import BoundedProtocol
from vllm_gateway.edge.idleness import Idleness

pytestmark = pytest.mark.both_lanes

REQUEST = CHAT % (b"", len(BODY), BODY)


class Line(asyncio.Transport):
    """A transport that only knows whether it was closed."""

    is_closed = False

    @override
    def is_closing(self) -> bool:
        return self.is_closed

    @override
    def close(self) -> None:
        self.is_closed = True


class Asked:
    """A connection that is asked whether it is used."""

    def __init__(self, *, is_used: bool = False) -> None:
        self.loop = asyncio.get_running_loop()
        self.line = Line()
        self.transport: asyncio.Transport = self.line
        self.is_used = is_used
        self.looks = self.forgets = 0

    def is_unused(self) -> bool:
        """Count how often that is asked."""
        self.looks += 1
        return not self.is_used

    def forget(self) -> None:
        """Count it."""
        self.forgets += 1


def _protocols() -> list[BoundedProtocol]:
    return [each for each in gc.get_objects() if isinstance(each, BoundedProtocol)]


async def test_what_was_asked_last_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that stays open keeps nothing of it, and is as good as a new one for the next request."""
    monkeypatch.setattr(idleness, "QUIET_S", 0.01)
    monkeypatch.setattr(idleness, "_LOOK_S", 0.01)
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        for _ in range(2):
            writer.write(REQUEST)
            assert (await reader.readuntil(b"\r\n\r\n{}")).startswith(b"HTTP/1.1 200")
            (connection,) = [each for each in _protocols() if each.client == writer.get_extra_info("sockname")]
            await until(lambda: connection.cycle is None)  # noqa: B023 - awaited at once
        assert not writer.is_closing()
        writer.close()


async def test_a_connection_in_use_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither closed nor made to forget, however long its answer takes; when it is used no more it is closed."""
    monkeypatch.setattr(idleness, "QUIET_S", 0.01)
    monkeypatch.setattr(idleness, "_LOOK_S", 0.01)
    connection = Asked(is_used=True)
    Idleness(connection, keep_s=0.05)
    await until(lambda: connection.looks > 10)
    assert (connection.forgets, connection.line.is_closed) == (0, False)
    connection.is_used = False
    await until(connection.transport.is_closing)
    looks = connection.looks
    await asyncio.sleep(0.05)
    assert connection.looks == looks


async def test_a_connection_that_is_gone_is_not_held() -> None:
    """Its timer ends with it."""
    async with scripted(as_replica(well)) as replica, gateway(replica.url) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\n{}")
        (seen,) = [each for each in _protocols() if each.client == writer.get_extra_info("sockname")]
        held = weakref.ref(seen)
        del seen
        writer.close()

        def is_gone() -> bool:
            gc.collect()
            return held() is None

        await until(is_gone)
