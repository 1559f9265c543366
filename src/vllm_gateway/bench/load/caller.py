"""One caller: has a conversation, asks turn after turn of it, then begins another one."""

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vllm_gateway.bench.load.answer import Answer
from vllm_gateway.bench.load.asking import Asking
from vllm_gateway.bench.load.connection import AnswerLost, Connections
from vllm_gateway.bench.load.record import Record
from vllm_gateway.bench.load.target import Target
from vllm_gateway.bench.prompts.conversation import Conversation, Source
from vllm_gateway.clock import SystemClock

_now = SystemClock.now


@dataclass(frozen=True, slots=True)
class Aim:
    """Who is asked, what, and for how long an answer is waited for."""

    target: Target
    asking: Asking
    models: tuple[str, ...]
    """Conversations go to them in turn."""
    max_tokens: int = 128
    """The longest answer, where a conversation does not say."""
    timeout_s: float = 300.0


class Onlooker(Protocol):
    """Who is told of every request."""

    def sent(self, record: Record) -> None:
        """A request is about to be sent."""

    def ended(self, record: Record) -> None:
        """Its answer is complete, or will not be."""


class Nobody:
    """An onlooker who does not look."""

    def sent(self, record: Record) -> None:
        """Do nothing."""

    def ended(self, record: Record) -> None:
        """Do nothing."""


class Shared:
    """What all callers of one run share."""

    def __init__(self, aim: Aim, source: Source, onlooker: Onlooker, *, first: int = 0) -> None:
        self.aim = aim
        self.records: list[Record] = []
        self.connections = Connections(aim.target)
        self.onlooker = onlooker
        self._source = source
        self._numbers: Iterator[int] = itertools.count(first)

    def draw(self) -> tuple[int, Conversation]:
        """Return the next conversation and its number."""
        number = next(self._numbers)
        return number, self._source.draw(number)


class Caller:
    """Asks one thing at a time."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._number = 0
        self._conversation = Conversation(())
        self._turn = 0
        self._said: list[Mapping[str, Any]] = []

    async def ask(self, planned_at: float | None = None) -> None:
        """Ask the next thing and note how it went; `planned_at` is now where it is not given."""
        shared, aim = self._shared, self._shared.aim
        if self._turn >= len(self._conversation.turns):
            self._number, self._conversation = shared.draw()
            self._turn, self._said = 0, self._conversation.opened()
        self._said.append({"role": "user", "content": self._conversation.turns[self._turn]})
        model = aim.models[self._number % len(aim.models)]
        body = aim.asking.body(model, self._said, self._conversation.max_tokens or aim.max_tokens)
        request = aim.target.request("POST", aim.asking.endpoint.path, body)
        sent_at = _now()
        record = Record(model, sent_at if planned_at is None else planned_at, self._number, self._turn, sent_at)
        answer = Answer(record, is_stream=aim.asking.streams)
        shared.records.append(record)
        shared.onlooker.sent(record)
        await converse(shared.connections, request, answer, timeout_s=aim.timeout_s)
        shared.onlooker.ended(record)
        self._said.append({"role": "assistant", "content": "".join(answer.texts)})
        self._turn = self._turn + 1 if record.is_good else len(self._conversation.turns)


async def converse(connections: Connections, request: bytes, answer: Answer, *, timeout_s: float) -> None:
    """Send a request and let `answer` hear what comes; what goes wrong on the way becomes its record's error."""
    record = answer.record
    try:
        async with asyncio.timeout(timeout_s):
            await connections.ask(request, answer)
    except TimeoutError:
        _fail(record, "timeout", f"There was no whole answer within {timeout_s:g} s.")
    except AnswerLost as loss:
        _fail(record, "cut" if record.status else "reset", str(loss))
    except OSError as problem:
        _fail(record, "connect", problem.strerror or str(problem))


def _fail(record: Record, kind: str, text: str) -> None:
    if record.error is None:
        record.error, record.error_text = kind, text
