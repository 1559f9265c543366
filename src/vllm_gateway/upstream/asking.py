"""A short question to a replica, answered in one piece: health, models, token counts."""

import asyncio
from typing import NamedTuple

from vllm_gateway.exchange import Headers
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.replica import Replica

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""An answer larger than this is none, unless the question says otherwise."""
_JSON = b"Content-Type: application/json\r\n"


class Answer(NamedTuple):
    """What a replica answered."""

    status: int
    headers: Headers
    body: bytes


class _Collected:
    """An answer taken whole."""

    def __init__(self, max_bytes: int) -> None:
        self.finished: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._max_bytes = max_bytes
        self._status = 0
        self._headers: Headers = []
        self._body = bytearray()

    def head(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = headers

    def body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > self._max_bytes:
            self.failed(ConnectionFault("the answer is too large"))

    def done(self) -> None:
        if not self.finished.done():
            self.finished.set_result(Answer(self._status, self._headers, bytes(self._body)))

    def failed(self, fault: ConnectionFault) -> None:
        if not self.finished.done():
            self.finished.set_exception(fault)


async def ask(
    replica: Replica,
    method: bytes,
    path: str,
    body: bytes = b"",
    *,
    callers_key: bytes = b"",
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Answer:
    """Ask a replica, with `callers_key` in place of the gateway's own; return its answer.

    A connection that the replica closed while it was free is no failure: the question is asked once more on a new one.

    Raises:
        ConnectionFault: there is no answer, or it is too large.
    """
    request = replica.request(method, path, _JSON if body else b"", body, callers_key=callers_key)
    for connect in (replica.checkout, replica.connect):
        connection = await connect()
        answer = _Collected(max_bytes)
        try:
            connection.send(request, answer)
            return await answer.finished
        except ConnectionFault as fault:
            if not fault.is_stale:
                raise
        finally:
            replica.give_back(connection)
    raise ConnectionFault("the replica closes every connection")
