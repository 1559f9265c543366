"""One question besides the load, whose answer is JSON."""

import asyncio
from typing import Any

from vllm_gateway import codec
from vllm_gateway.bench.load.connection import AnswerLost, Connections
from vllm_gateway.bench.load.target import Target

_OK = 200
_TIMEOUT_S = 60.0


class NoAnswer(Exception):
    """There is no good answer; `str()` of it is one sentence that says why."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class _Whole:
    """Keeps an answer."""

    def __init__(self) -> None:
        self.status = 0
        self.body = bytearray()

    def begin(self, status: int, _: float) -> None:
        self.status = status

    def feed(self, data: bytes, _: float) -> None:
        self.body += data

    def end(self, _: float) -> None:
        pass


async def fetch(target: Target, path: str, body: bytes = b"") -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return the JSON of a good answer to a GET, or to a POST where there is a body; raise `NoAnswer` otherwise."""
    connections, whole = Connections(target), _Whole()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await connections.ask(target.request("POST" if body else "GET", path, body), whole)
    except TimeoutError as silence:
        raise NoAnswer(f"{target.url}{path} does not answer within {_TIMEOUT_S:g} s.") from silence
    except AnswerLost as loss:
        raise NoAnswer(f"{target.url}{path} does not answer: {loss}.") from loss
    except OSError as problem:
        raise NoAnswer(f"{target.url} cannot be reached: {problem.strerror or problem}. Is it running?") from problem
    finally:
        connections.close()
    if whole.status != _OK:
        raise NoAnswer(
            f"{target.url}{path} answers {whole.status}: {whole.body[:200].decode(errors='replace')}", whole.status
        )
    try:
        return codec.loads(whole.body)
    except codec.MalformedJson as mistake:
        raise NoAnswer(f"{target.url}{path} answers with something that is no JSON.") from mistake
