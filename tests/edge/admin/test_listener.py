"""A second server in the same loop."""

import asyncio
import socket
import time

import httpx2
import uvicorn
from starlette.types import Receive, Scope, Send

from vllm_gateway.edge.admin.listener import serving_beside


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after a moment."""
    del receive
    await asyncio.sleep(0.2 if scope["path"] == "/slow" else 0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def a_config() -> uvicorn.Config:
    """Return how the server is to run."""
    return uvicorn.Config(slow, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=2)


async def test_it_serves_for_as_long_as_it_is_open() -> None:
    """From the first moment; afterwards nobody listens, and idle connections hold up nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx2.AsyncClient(trust_env=False) as http:
        async with serving_beside(a_config(), listener):
            assert (await http.get(url)).text == "ok"
            began = time.perf_counter()
        assert time.perf_counter() - began < 1
        try:
            await http.get(url)
        except httpx2.ConnectError:
            return
        raise AssertionError("somebody still listens")


async def test_what_is_being_answered_is_answered() -> None:
    """The end waits for it."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/slow"
    async with httpx2.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as group:
        async with serving_beside(a_config(), listener):
            asking = group.create_task(http.get(url))
            await asyncio.sleep(0.1)
        assert (await asking).text == "ok"


async def test_it_ends_when_what_it_stands_beside_fails() -> None:
    """The failure goes on; the socket is closed."""
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        async with serving_beside(a_config(), listener):
            raise LookupError  # noqa: TRY301 - what is tested
    except LookupError:
        assert listener.fileno() == -1
