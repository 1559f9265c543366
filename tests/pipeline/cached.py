"""A cache before a replica that answers as it is told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tests.exchanges import OPERATIONS
from tests.upstream.test_answers import Notes
from vllm_gateway import codec
from vllm_gateway.admission.rules.outgoing import Outgoing
from vllm_gateway.cache.claims import Claims
from vllm_gateway.cache.memory import MemoryStore
from vllm_gateway.cache.shelf import Shelf
from vllm_gateway.cache.store import SharedStore, Store
from vllm_gateway.callers import Caller
from vllm_gateway.clock import HandClock
from vllm_gateway.dialects.sse import payloads
from vllm_gateway.exchange import Asked, Exchange, Headers, Sink, Usage
from vllm_gateway.pipeline.caching import Caching
from vllm_gateway.pipeline.replaying import Bill
from vllm_gateway.settings.model import Settings
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.answers import start, start_stream

CHAT = "/v1/chat/completions"
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
STREAMED = {**QUESTION, "stream": True}
USAGE = Usage(7, 2)
Answer = Callable[[Exchange, Asked, Sink], Awaitable[None]]


def event(**choice: Any) -> bytes:  # noqa: ANN401 - any member
    """Return one event of a stream."""
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + codec.dumps(chunk) + b"\n\n"


STREAM = [
    event(index=0, delta={"role": "assistant", "content": ""}, logprobs=None, finish_reason=None),
    event(index=0, delta={"content": "Hel"}, logprobs=None, finish_reason=None),
    event(index=0, delta={"content": "lo"}, logprobs=None, finish_reason=None),
    event(index=0, delta={}, logprobs=None, finish_reason="stop"),
]
DONE = b"data: [DONE]\n\n"


def whole(content: str = "Hello", end: str = "stop") -> bytes:
    """Return an answer in one piece."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": end}
    usage = {"prompt_tokens": 7, "total_tokens": 9, "completion_tokens": 2}
    head = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m"}
    return codec.dumps(head | {"choices": [choice], "usage": usage})


def said(body: bytes) -> str:
    """Return the text of a stream."""
    chunks = [codec.loads(each) for each in payloads(body)]
    return "".join(choice["delta"].get("content") or "" for each in chunks for choice in each["choices"])


@dataclass
class Replica:
    """Answers every question alike."""

    body: bytes = field(default_factory=whole)
    events: list[bytes] = field(default_factory=lambda: [*STREAM, DONE])
    status: int = 200
    failure: Exception | None = None
    fails_after: int = 0
    """How many events come before the failure."""
    may_begin: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Asked] = field(default_factory=list)
    askers: list[str] = field(default_factory=list)
    cancelled: int = 0

    def __post_init__(self) -> None:
        self.may_begin.set()
        self.may_end.set()

    async def relay(self, exchange: Exchange, asked: Asked, sink: Sink) -> None:
        """Answer, as a relay does."""
        self.asked.append(asked)
        self.askers.append(exchange.id)
        exchange.limits = b"x-ratelimit: 9\r\n"
        exchange.attempts += 1
        try:
            await self.may_begin.wait()
            await self._answer(exchange, asked, sink)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def _answer(self, exchange: Exchange, asked: Asked, sink: Sink) -> None:
        if self.failure is not None and not self.fails_after:
            raise self.failure
        if not asked.stream or self.status != HTTPStatus.OK:
            body = self.body if asked.path == CHAT else embedded(asked)
            exchange.usage = exchange.operation.dialect.usage(body)
            start(exchange, sink, self.status, [(b"content-type", b"application/json")])
            sink.write(body)
            sink.end()
            return
        exchange.usage = USAGE
        if not exchange.is_event_stream:
            start_stream(exchange, sink)
        for number, each in enumerate(self.events):
            if self.failure is not None and number == self.fails_after:
                raise self.failure
            if number == len(self.events) - 1:
                await self.may_end.wait()
            sink.write(each)
        sink.end()


def embedded(asked: Asked) -> bytes:
    """Return the embeddings of texts: how long each is, and with which letter it begins; a word is a token."""
    texts = asked.fields["input"]
    texts = [texts] if isinstance(texts, str) else texts
    rows = [
        {"index": at, "object": "embedding", "embedding": [len(each), ord(each[0])]} for at, each in enumerate(texts)
    ]
    tokens = sum(len(each) for each in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}
    return codec.dumps({"id": "e1", "object": "list", "created": 1, "model": "m", "data": rows, "usage": usage})


class Cached:
    """A cache, its clock, and the replica behind it."""

    def __init__(
        self,
        *,
        keeps: bool = True,
        any_temperature: bool = False,
        max_answer_bytes: int = 100_000,
        shared: SharedStore | None = None,
        screen: str = "",
    ) -> None:
        """Have one; what is sent under a key is shared with those that were given the same place."""
        self.origin: tuple[str, ...] = ("r",)
        self.clock = HandClock()
        self.replica = Replica()
        self.once = self._shelf(86_400, max_answer_bytes, shared)
        self.caching = Caching(
            answers=self._shelf(600, max_answer_bytes) if keeps else None,
            once=self.once,
            outgoing=Outgoing(Settings()),
            clock=self.clock,
            max_bytes=10_000_000,
            any_temperature=any_temperature,
            screen=screen,
        )
        self.tasks = Tasks("callers")

    async def close(self) -> None:
        """Let go of the places where answers are kept."""
        await self.caching.close()
        await self.once.close()

    def start(self, reply: "Reply", *, bill: Bill | None = None) -> "asyncio.Task[None]":
        """Have a caller ask."""
        return self.tasks.start(self._ask(reply, bill), name="caller")

    async def ask(self, fields: dict[str, Any], *, bill: Bill | None = None, **about: Any) -> "Reply":  # noqa: ANN401 - as `Reply` takes it
        """Have a caller ask, and return what it got."""
        reply = Reply(fields, **about)
        await self._ask(reply, bill)
        return reply

    async def _ask(self, reply: "Reply", bill: Bill | None) -> None:
        exchange = reply.exchange
        assert exchange.asked is not None
        await self.caching.answer(
            exchange,
            exchange.asked,
            reply.sink,
            self.replica.relay,
            model=exchange.model or "",
            origin=self.origin,
            bill=bill,
        )

    def _shelf(self, ttl_s: float, most: int, shared: SharedStore | None = None) -> Shelf:
        store: Store = MemoryStore(self.clock, max_bytes=10_000_000) if shared is None else shared
        claims = None if shared is None else Claims(shared)
        return Shelf(store, ttl_s=ttl_s, max_answer_bytes=most, claims=claims)


class Reply:
    """One request, and what came of it."""

    def __init__(
        self,
        fields: dict[str, Any],
        *,
        headers: Headers | None = None,
        caller: str = "a",
        upstream_key: bytes = b"",
        path: str = CHAT,
        model: str = "m",
        sink: Notes | None = None,
    ) -> None:
        operation, body = OPERATIONS[path], codec.dumps(fields)

        async def receive() -> bytes:
            return body

        self.sink = sink or Notes()
        self.exchange = Exchange(
            id=f"request-{id(self)}",
            operation=operation,
            headers=headers or [],
            receive=receive,
            started=0.0,
            caller=Caller(caller, upstream_key=upstream_key),
            body=body,
            model=model,
            asked=operation.read(body),
        )

    @property
    def cache(self) -> str:
        """What the reply says of where it came from."""
        return dict(self.sink.headers).get(b"x-cache", b"").decode()

    @property
    def age(self) -> str:
        """How old the reply says it is."""
        return dict(self.sink.headers).get(b"age", b"").decode()

    @property
    def body(self) -> bytes:
        """What was answered."""
        assert self.sink.is_ended
        return self.sink.written

    @property
    def value(self) -> Any:  # noqa: ANN401 - any JSON
        """The same, understood."""
        return codec.loads(self.body)
