"""How the workers of one gateway talk to each other: one order, one answer, over a socket in a folder of their own."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from vllm_gateway import codec
from vllm_gateway.errors import GatewayError

log = logging.getLogger(__name__)

Order = dict[str, Any]
Obey = Callable[[Order], Awaitable[Any]]
_PATIENCE_S = 30.0
"""For an answer: a replica that was added is looked at first."""


class Peers:
    """The other workers."""

    def __init__(self, folder: Path, *, number: int, count: int) -> None:
        self._folder = folder
        self._number = number
        self._others = [other for other in range(count) if other != number]

    @asynccontextmanager
    async def listening(self, obey: Obey) -> AsyncIterator[None]:
        """Do what the others order for as long as this is open."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                writer.write(codec.dumps(await _answer(obey, await reader.read())))
                await writer.drain()
            except OSError:
                log.debug("a worker did not wait for the answer")
            finally:
                writer.close()

        path = self._path(self._number)
        path.unlink(missing_ok=True)  # of one that was killed
        server = await asyncio.start_unix_server(answer, path)
        try:
            yield
        finally:
            server.close()

    async def ask_all(self, order: Order) -> list[Any]:
        """Return what each of the others answers; those that are not there are left out."""
        return list((await self.ask_each(order)).values())

    async def ask_each(self, order: Order, *, within_s: float = _PATIENCE_S) -> dict[int, Any]:
        """Return the same under the numbers of those who answered in time."""
        answers = await asyncio.gather(*(self._ask(other, order, within_s) for other in self._others))
        pairs = zip(self._others, answers, strict=True)
        return {other: answer["done"] for other, answer in pairs if answer is not None}

    async def ask(self, number: int, order: Order) -> Any:  # noqa: ANN401 - what the order says
        """Return what one of the others answers; None when it is not there."""
        answer = await self._ask(number, order)
        return None if answer is None else answer["done"]

    async def ask_one(self, order: Order) -> Any:  # noqa: ANN401 - what the order says
        """Return what the first of the others answers that is there; None when nobody is."""
        for other in self._others:
            if (answer := await self._ask(other, order)) is not None:
                return answer["done"]
        return None

    async def _ask(self, other: int, order: Order, within_s: float = _PATIENCE_S) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(within_s):
                reader, writer = await asyncio.open_unix_connection(self._path(other))
                try:
                    writer.write(codec.dumps(order))
                    writer.write_eof()
                    answer: dict[str, Any] = codec.loads(await reader.read())
                finally:
                    writer.close()
        except (OSError, ValueError):  # it is about to start, and asks us then
            return None
        if "refused" in answer:
            log.error("worker %d could not do what was asked of all: %s", other, answer["refused"])
            return None
        return answer

    def _path(self, number: int) -> Path:
        return self._folder / str(number)


async def _answer(obey: Obey, asked: bytes) -> dict[str, Any]:
    try:
        return {"done": await obey(codec.loads(asked))}
    except GatewayError as error:
        return {"refused": str(error)}
