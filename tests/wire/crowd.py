"""Many callers before one replica that answers only when the test says so: who is next is counted, not timed."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from tests.gateway import Gateway, gateway
from tests.scripted import MODEL, Visit, as_replica, scripted
from tests.waiting import until
from vllm_gateway import codec
from vllm_gateway.settings.model import Upstream

_ANSWER = codec.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12},
    }
)


class Held:
    """A replica that holds what it is asked until it is let go."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._held: deque[asyncio.Event] = deque()

    async def answer(self, visit: Visit, request: bytes) -> None:
        """Answer, once it may."""
        may_go = asyncio.Event()
        self._held.append(may_go)
        self.asked.append(request)
        await may_go.wait()
        await visit.say_json(_ANSWER)

    async def let_go(self) -> None:
        """Answer the oldest, and wait until another one has its place."""
        before = len(self.asked)
        self._held.popleft().set()
        await until(lambda: len(self.asked) > before)


@asynccontextmanager
async def held(places: int, **settings: Any) -> AsyncIterator[tuple[Held, Gateway]]:  # noqa: ANN401 - any setting
    """Run a gateway before a replica that takes so many requests at once, and holds them."""
    replica = Held()
    async with scripted(as_replica(replica.answer)) as listening:
        upstream = Upstream(url=listening.url, max_concurrent=places)
        async with gateway(upstream, probe={"every_s": 600}, **settings) as door:
            yield replica, door


@asynccontextmanager
async def crowd(door: Gateway, keys: Iterable[str]) -> AsyncIterator[None]:
    """Have each of these keys say its name, on a connection of its own; on leaving they hang up."""
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        for key in keys:
            transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", door.port)
            stack.callback(transport.abort)
            transport.write(_question(key))
        yield


def _question(key: str) -> bytes:
    body = codec.dumps({"model": MODEL, "messages": [{"role": "user", "content": key}], "max_tokens": 4})
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
