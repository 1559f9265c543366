"""A second server in the same loop."""

import asyncio
import socket
import time

import httpx2
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from vllm_gateway.edge.admin.listener import serving_beside
from vllm_gateway.edge.connection import LINGER_S


class Slow:
    """Answers after a moment, and knows that it was asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        del receive
        self.asked.set()
        await asyncio.sleep(0.2 if scope["path"] == "/slow" else 0)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


def a_config(app: Slow | None = None) -> uvicorn.Config:
    """Return how the server is to run."""
    return uvicorn.Config(app or Slow(), lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=2)


async def test_it_serves_for_as_long_as_it_is_open() -> None:
    """From the first moment; afterwards nobody listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx2.AsyncClient(trust_env=False) as http:
        async with serving_beside(a_config(), listener):
            assert (await http.get(url)).text == "ok"
        with pytest.raises(httpx2.ConnectError):
            await http.get(url)


async def test_idle_connections_hold_up_nothing() -> None:
    """They are closed at once: the quickest of five ends takes less than connections may linger."""
    took_s = []
    for _ in range(5):
        listener = socket.create_server(("127.0.0.1", 0))
        async with httpx2.AsyncClient(trust_env=False) as http:
            async with serving_beside(a_config(), listener):
                await http.get(f"http://127.0.0.1:{listener.getsockname()[1]}")
                began = time.perf_counter()
            took_s.append(time.perf_counter() - began)
    assert min(took_s) < LINGER_S


async def test_what_is_being_answered_is_answered() -> None:
    """The end waits for it."""
    app, listener = Slow(), socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/slow"
    async with httpx2.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as group:
        async with serving_beside(a_config(app), listener):
            asking = group.create_task(http.get(url))
            await app.asked.wait()
        assert (await asking).text == "ok"


async def test_it_ends_when_what_it_stands_beside_fails() -> None:
    """The failure goes on; the socket is closed."""
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        async with serving_beside(a_config(), listener):
            raise LookupError  # noqa: TRY301 - what is tested
    except LookupError:
        assert listener.fileno() == -1
