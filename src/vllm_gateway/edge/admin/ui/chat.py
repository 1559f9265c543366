"""`/admin/chat`: the chat box of the page asks the gateway itself, in this process.

A browser lets the page talk to this listener only, so what it asks is handed to the front door here: a request like
any other, with its limits, its rules and its line in the usage. Where callers need a key, the chat box sends one.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/admin/chat"
_ASKED = "/v1/chat/completions"
_OWN = frozenset({b"cookie", b"origin"})
"""Headers that concern the page and this listener, and nobody else."""


class Chat:
    """The ASGI application that hands a chat request to the front door."""

    def __init__(self, door: ASGIApp) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the front door answer."""
        headers = [each for each in scope["headers"] if each[0] not in _OWN]
        asked = {**scope, "path": _ASKED, "raw_path": _ASKED.encode(), "query_string": b"", "headers": headers}
        await self._door(asked, receive, send)
