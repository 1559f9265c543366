"""The door: by exact path, to the lane that relays or to the house that answers."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vllm_gateway.clock import SystemClock
from vllm_gateway.edge.announced import check_announced, request_id
from vllm_gateway.edge.express import Way
from vllm_gateway.edge.faults import fault_reply
from vllm_gateway.edge.house.faults import dialect_of
from vllm_gateway.edge.lane import Lane, check_in_time
from vllm_gateway.edge.telling import total_told
from vllm_gateway.errors import GatewayError, MediaTypeWrong, MethodWrong, RequestSlow
from vllm_gateway.exchange import Dialect, Headers, Operation

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

App = ASGIApp
"""What a server runs."""


class Door:
    """The ASGI application that the server runs."""

    def __init__(self, operations: Mapping[str, Operation], lane: Lane, house: ASGIApp, *, max_body_bytes: int) -> None:
        self._operations = {path: each for path, each in operations.items() if "{" not in path}
        self._patterns = [_Pattern(path, each) for path, each in operations.items() if "{" in path]
        self._ways = {path.encode(): Way(each, "", lane) for path, each in self._operations.items()}
        self._lane = lane
        self._house = house
        self._max_body_bytes = max_body_bytes

    def find_way(self, target: bytes, _: Headers) -> Way | None:
        """Return where a POST goes that replicas answer, given the target of its request line.

        What must be decoded first is left to the server.
        """
        way = self._ways.get(target)
        if way is not None:
            return way
        path = target.partition(b"?")[0]
        if path[:1] != b"/" or b"%" in path:
            return None
        operation, named = self._find(path.decode("latin-1"))
        return None if operation is None else Way(operation, named, self._lane)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a request where it belongs. Only the path of the request line counts, never the `Host` header."""
        operation, target = self._find(scope["path"]) if scope["type"] == "http" else (None, "")
        if operation is None:
            await self._enter_house(scope, receive, send)
        elif scope["method"] == "POST":
            await self._lane.answer(operation, scope, receive, send, target=target)
        else:
            error = MethodWrong("This route takes POST only.", allowed="POST")
            await _refuse(error, operation.dialect, scope, send)

    async def _enter_house(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the house answer; a body that is not announced as JSON does not get there."""
        try:
            if scope["type"] == "http" and scope["method"] in _WITH_BODY:
                check_announced(scope["headers"])
        except MediaTypeWrong as error:
            await _refuse(error, dialect_of(scope["path"]), scope, send)
        else:
            await self._house(scope, bounded(scope, receive, self._max_body_bytes), named(scope, send))

    def _find(self, path: str) -> tuple[Operation | None, str]:
        """Return the operation at a path, and what the path names."""
        operation = self._operations.get(path)
        if operation is not None:
            return operation, ""
        for pattern in self._patterns:
            if target := pattern.target(path):
                return pattern.operation, target
        return None, ""


async def _refuse(error: GatewayError, dialect: Dialect, scope: Scope, send: Send) -> None:
    status, headers, body = fault_reply(error, dialect, request_id(scope["headers"]))
    send = named(scope, send)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def bounded(scope: Scope, receive: Receive, max_bytes: int) -> Receive:
    """Return `receive`, which gives up on a body that is too large or too slow."""
    left = max_bytes

    async def receive_some() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            sentence = f"The body is larger than the {max_bytes} bytes that are allowed."
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)
        try:
            if message.get("more_body"):
                check_in_time(scope)
        except RequestSlow as error:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, error.message) from error
        return message

    return receive_some


def named(scope: Scope, send: Send) -> Send:
    """Return `send`, which names the request in its reply unless that does so already, and tells how long it took."""
    if scope["type"] != "http":
        return send
    name = (b"x-request-id", request_id(scope["headers"]).encode())
    began = SystemClock.now()

    async def send_named(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], total_told(SystemClock.now() - began)]
            if not any(key == name[0] for key, _ in headers):
                headers.append(name)
            message = {**message, "headers": headers}
        await send(message)

    return send_named


class _Pattern:
    """A path that names something in its middle."""

    def __init__(self, path: str, operation: Operation) -> None:
        self.operation = operation
        self._before, self._behind = path.split("{id}")

    def target(self, path: str) -> str:
        """Return what `path` names; nothing when it is another path."""
        if not path.startswith(self._before) or not path.endswith(self._behind):
            return ""
        target = path[len(self._before) : -len(self._behind)]
        return "" if "/" in target else target
