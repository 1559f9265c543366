"""Callers of HTTP/1.0: they know no chunks, so the end of a reply of unknown length is the end of the connection."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def without_chunks(app: ASGIApp, cycle: RequestResponseCycle) -> ASGIApp:
    """Return `app`, whose reply in this cycle goes out unframed where its length is not told."""
    is_unframed = False

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_unframed(message: Message) -> None:
            nonlocal is_unframed
            if message["type"] == "http.response.start":
                is_unframed = all(name.lower() != b"content-length" for name, _ in message["headers"])
                cycle.chunked_encoding = False if is_unframed else None
            elif is_unframed:
                cycle.expected_content_length = len(message.get("body", b""))  # each part is as long as it is
            await send(message)

        await app(scope, receive, send_unframed)

    return run
