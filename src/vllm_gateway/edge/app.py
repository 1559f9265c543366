"""The door: by exact path, to the lane that relays or to the house that answers."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from vllm_gateway.edge.faults import fault_reply
from vllm_gateway.edge.lane import Lane, request_id
from vllm_gateway.errors import MethodWrong
from vllm_gateway.exchange import Operation


class Door:
    """The ASGI application that the server runs."""

    def __init__(self, operations: Mapping[str, Operation], lane: Lane, house: ASGIApp) -> None:
        self._operations = operations
        self._lane = lane
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a request where it belongs. Only the path of the request line counts, never the `Host` header."""
        operation = self._operations.get(scope["path"]) if scope["type"] == "http" else None
        if operation is None:
            await self._house(scope, receive, send)
        elif scope["method"] == "POST":
            await self._lane.answer(operation, scope, receive, send)
        else:
            await self._refuse_method(operation, scope, send)

    @staticmethod
    async def _refuse_method(operation: Operation, scope: Scope, send: Send) -> None:
        error = MethodWrong("This route takes POST only.", allowed="POST")
        status, headers, body = fault_reply(error, operation.dialect, request_id(scope["headers"]))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
