"""A gateway inside the test's own event loop, on a real socket."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from tests import lanes
from tests.waiting import PATIENCE_S, until
from vllm_gateway import serve
from vllm_gateway.edge.server import Server, Stop
from vllm_gateway.settings.model import Settings, Upstream

_TLS = ssl.create_default_context()
"""Made once, because that takes as long as to start a gateway; nothing here is encrypted."""


@dataclass
class Gateway:
    """A running gateway, and a client for it."""

    parts: serve.Parts
    asked_to_stop: Stop
    port: int
    http: httpx2.AsyncClient

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Tell it to stop, as SIGTERM does."""
        self.asked_to_stop.ask()


@asynccontextmanager
async def gateway(*upstreams: str | Upstream, **settings: Any) -> AsyncIterator[Gateway]:  # noqa: ANN401 - any setting
    """Run a gateway in front of `upstreams`: addresses, or replicas with a route or a key of their own.

    Conversations are kept in memory unless `session` names a backend, so that no test writes to the user's folder.
    `read` is no setting: it gives the settings that a reload finds.
    """
    read: Callable[[], Settings] | None = settings.pop("read", None)
    chosen = settings_of(*upstreams, **settings)
    listener = socket.create_server(("127.0.0.1", 0), backlog=serve.BACKLOG)
    port = listener.getsockname()[1]
    async with serve.build(chosen, read=read) as parts:
        stop = Stop()
        config = serve.server_config(chosen, parts.door, find_way=parts.find_way, edge=chosen.edge)
        server = Server(config, stop=stop, drain=parts.drain.run)
        running = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False, verify=_TLS) as http:
            await until(lambda: server.started)
            try:
                yield Gateway(parts, stop, port, http)
            finally:
                await http.aclose()
                stop.ask()
                await running


def settings_of(*upstreams: str | Upstream, **settings: Any) -> Settings:  # noqa: ANN401 - any setting
    """Return the settings of a gateway that keeps nothing on the disk, and does not take a slow machine for a fault."""
    replicas = tuple(Upstream(url=each) if isinstance(each, str) else each for each in upstreams)
    settings["session"] = {"backend": "memory", **settings.get("session", {})}
    settings.setdefault("edge", lanes.settings_now())
    settings["probe"] = {"timeout_s": 30.0, **settings.get("probe", {})}
    return Settings(upstreams=replicas, **settings)


async def raw(port: int, request: bytes, *, until_closed: bool = True) -> bytes:
    """Send bytes as they are, and return what comes back until the other side closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S if until_closed else 0.3):
            while data := await reader.read(65536):
                answer += data
    writer.close()
    return answer
