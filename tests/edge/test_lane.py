"""The ASGI lane by itself: what its sink makes of calls."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from vllm_gateway.edge.lane import CLOSE_EXTENSION, HIGH_WATER_BYTES, AsgiSink


class Sent:
    """An ASGI server that takes notes, and can be slow."""

    def __init__(self) -> None:
        self.messages: list[MutableMapping[str, Any]] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Take a message."""
        await self.may_go_on.wait()
        self.messages.append(message)


class Noted:
    """A flow that takes notes."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause(self) -> None:
        """Note it."""
        self.calls.append("pause")

    def resume(self) -> None:
        """Note it."""
        self.calls.append("resume")


async def test_a_whole_reply_is_two_messages() -> None:
    """A head, and a body that says that it is all."""
    sent = Sent()
    sink = AsgiSink({}, sent, asyncio.get_running_loop())
    sink.start(200, [(b"a", b"b")])
    sink.write(b"one")
    sink.write(b"two")
    sink.end()
    await sink.finish()
    assert sent.messages == [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]},
        {"type": "http.response.body", "body": b"onetwo", "more_body": False},
    ]


async def test_what_is_written_leaves_while_the_end_is_awaited() -> None:
    """Each write is sent without waiting for the next one."""
    sent = Sent()
    sink = AsgiSink({}, sent, asyncio.get_running_loop())
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(sink.until(done))
        await asyncio.sleep(0)
        sink.start(200, [])
        for part in (b"a", b"b"):
            sink.write(part)
            await asyncio.sleep(0.005)
        assert [message.get("body") for message in sent.messages] == [None, b"a", b"b"]
        done.set_result(None)


async def test_a_slow_caller_pauses_the_flow_once_and_resumes_it_once() -> None:
    """The flow waits from the high-water mark on, until all of it has been sent."""
    sent, flow = Sent(), Noted()
    sink = AsgiSink({}, sent, asyncio.get_running_loop())
    sink.feed_from(flow)
    sink.start(200, [])
    for _ in range(3):
        sink.write(b"x" * HIGH_WATER_BYTES)
    assert flow.calls == ["pause"]
    await sink.flush(is_more_to_come=True)
    assert flow.calls == ["pause", "resume"]


async def test_a_cut_reply_is_never_completed() -> None:
    """What is queued leaves, then the connection is closed; no message says that this was all."""
    sent = Sent()
    closed: list[bool] = []
    scope = {"extensions": {CLOSE_EXTENSION: {"close": lambda: closed.append(True)}}}
    sink = AsgiSink(scope, sent, asyncio.get_running_loop())
    sink.start(200, [])
    sink.write(b"half")
    sink.cut()
    await sink.finish()
    assert closed == [True]
    assert all(message.get("more_body", True) for message in sent.messages)


async def test_nothing_is_sent_to_who_has_gone() -> None:
    """A reply to nobody is not written."""
    sent = Sent()
    sink = AsgiSink({}, sent, asyncio.get_running_loop())
    sink.start(200, [])
    sink.end()
    sink.is_gone = True
    await sink.finish()
    assert sent.messages == []
