"""Whether the gateway is there."""

import asyncio

from tests.gateway import gateway
from tests.waiting import until
from vllm_gateway.terminal.api import Client, Target
from vllm_gateway.terminal.chat.link import Link


async def test_going_and_coming_are_told_once_each() -> None:
    """Whoever waits for it to be back goes on then."""
    told: list[bool] = []

    def changed(*, is_up: bool) -> None:
        told.append(is_up)

    async with gateway("http://127.0.0.1:1/v1") as front:
        target = Target.at(front.url)
    link = Link(Client(target), changed, seldom_s=0.01, often_s=0.01)
    watching = asyncio.get_running_loop().create_task(link.watch())
    await until(lambda: told == [False], within_s=30)
    server = await asyncio.start_server(_answer, "127.0.0.1", target.port)
    await asyncio.wait_for(link.back(), timeout=30)
    assert (told, link.is_up) == ([False, True], True)
    watching.cancel()
    server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\n{}")
    writer.close()
