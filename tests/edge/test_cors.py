"""Pages in browsers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tests.waiting import PATIENCE_S, until
from vllm_gateway.edge.connection import bounded_protocol
from vllm_gateway.edge.cors import with_cors
from vllm_gateway.edge.lane import CLOSE_EXTENSION

PAGE = "https://chat.example.org"
OTHER = "https://evil.example.org"
PREFLIGHT = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type, x-stainless-os, anthropic-version",
}


class App:
    """Streams two events, the second only when told to; remembers what it was given."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as the door does: headers as a plain list of pairs."""
        del receive
        self.scopes.append(scope)
        headers = [(b"content-type", b"text/event-stream"), (b"x-request-id", b"r"), (b"vary", b"accept")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})


@asynccontextmanager
async def _behind_cors(app: App, *origins: str) -> AsyncIterator[httpx2.AsyncClient]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        with_cors(app, origins), http=bounded_protocol(max_head_bytes=65_536), lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    running = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_S) as http:
        await until(lambda: server.started)
        try:
            yield http
        finally:
            app.go_on.set()
            await http.aclose()
            server.should_exit = True
            await running


def test_without_origins_nothing_is_put_around() -> None:
    """Who names no page pays nothing: the application stays what it is."""
    app = App()
    assert with_cors(app, ()) is app


async def test_a_page_may_ask_what_it_may_send() -> None:
    """The browser's question before a request is answered here: methods, and any header; no credentials."""
    app = App()
    async with _behind_cors(app, PAGE) as http:
        reply = await http.request("OPTIONS", "/v1/chat/completions", headers=PREFLIGHT)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert reply.headers["access-control-allow-methods"] == "GET, POST, PATCH, DELETE, OPTIONS"
    assert reply.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert "access-control-allow-credentials" not in reply.headers
    assert app.scopes == []


async def test_another_page_may_not() -> None:
    """A page that was not named gets no permission, neither before nor with an answer."""
    app = App()
    app.go_on.set()
    async with _behind_cors(app, PAGE) as http:
        asked = await http.request("OPTIONS", "/v1/models", headers={**PREFLIGHT, "origin": OTHER})
        answered = await http.get("/v1/models", headers={"origin": OTHER})
    assert asked.status_code == 400
    assert "access-control-allow-origin" not in asked.headers
    assert answered.status_code == 200
    assert "access-control-allow-origin" not in answered.headers


async def test_every_page_may_when_all_are_named() -> None:
    """`*` admits every page and says so, without credentials."""
    app = App()
    app.go_on.set()
    async with _behind_cors(app, "*") as http:
        reply = await http.get("/v1/models", headers={"origin": OTHER})
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize(("origins", "status"), [((PAGE,), 200), (("*",), 400)])
async def test_a_private_network_is_open_to_named_pages_only(origins: tuple[str, ...], status: int) -> None:
    """A page from outside may reach into a private network when it was named, not when all pages were."""
    async with _behind_cors(App(), *origins) as http:
        asking = {**PREFLIGHT, "access-control-request-private-network": "true"}
        reply = await http.request("OPTIONS", "/v1/models", headers=asking)
    assert reply.status_code == status


async def test_a_stream_passes_event_by_event() -> None:
    """The first event arrives before there is a second; the page may read the headers that its library wants."""
    app = App()
    async with _behind_cors(app, PAGE) as http, http.stream("POST", "/x", headers={"origin": PAGE}) as reply:
        parts = reply.aiter_bytes()
        assert await anext(parts) == b"data: 1\n\n"
        app.go_on.set()
        assert b"".join([part async for part in parts]) == b"data: 2\n\n"
    readable = "x-request-id, retry-after, retry-after-ms, server-timing, x-gateway-explain"
    assert reply.headers["access-control-expose-headers"] == readable
    assert (reply.headers["x-request-id"], reply.headers["vary"]) == ("r", "accept, Origin")


async def test_what_the_server_adds_to_the_scope_stays() -> None:
    """The way to close the caller's connection is still in the scope behind it."""
    app = App()
    app.go_on.set()
    async with _behind_cors(app, PAGE) as http:
        await http.get("/x", headers={"origin": PAGE})
    assert {"close", "abort"} <= app.scopes[0]["extensions"][CLOSE_EXTENSION].keys()
