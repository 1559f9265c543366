"""Sims, a gateway before them, and whoever runs it: its admin routes, and settings that can be read again."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.gateway import Gateway, gateway, settings_of
from tests.waiting import PATIENCE_S
from vllm_gateway import serve
from vllm_gateway.edge.admin.listener import serving_beside
from vllm_gateway.settings import Settings, SettingsInvalid
from vllm_gateway.sim import RunningSim, SimSettings, start

ADMIN_KEY = "the-admin-key-of-the-tests"
_TLS = ssl.create_default_context()
"""Made once, because that takes long; nothing here is encrypted."""


@dataclass
class Operated:
    """A gateway that can be changed while it runs."""

    sims: list[RunningSim]
    door: Gateway
    admin: httpx2.AsyncClient
    fixed: dict[str, Any]
    found: list[Settings | SettingsInvalid] = field(default_factory=list)
    """What the next reload finds; the last one counts."""

    def write(self, *upstreams: Any, **settings: Any) -> None:  # noqa: ANN401 - any setting
        """Let these be the settings that are found from now on."""
        self.found.append(settings_of(*upstreams, **{**self.fixed, **settings}))

    async def reload(self) -> dict[str, Any]:
        """Have the settings read again, and return what came of it."""
        reply = await self.admin.post("/admin/reload", json={})
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    async def replicas(self) -> dict[str, dict[str, Any]]:
        """Return what is told of the replicas, by name."""
        reply = await self.admin.get("/admin/replicas")
        return {row["name"]: row for row in reply.json()["data"]}


@asynccontextmanager
async def operated(*kinds: SimSettings, used: int | None = None, **settings: Any) -> AsyncIterator[Operated]:  # noqa: ANN401 - any setting
    """Run sims, and a gateway before the first `used` of them that does not look again by itself."""
    fixed = {"probe": {"every_s": 600}, "auth": {"admin_key": ADMIN_KEY}, **settings}
    async with AsyncExitStack() as stack:
        sims = []
        for kind in kinds:
            sims.append(await start(kind))
            stack.push_async_callback(sims[-1].close)
        found: list[Settings | SettingsInvalid] = []

        def read() -> Settings:
            if isinstance(found[-1], SettingsInvalid):
                raise found[-1]
            return found[-1]

        urls = [sim.url for sim in sims[:used]]
        found.append(settings_of(*urls, **fixed))
        door = await stack.enter_async_context(gateway(*urls, read=read, **fixed))
        assert door.parts.admin is not None
        listener = socket.create_server(("127.0.0.1", 0))
        config = serve.server_config(settings_of(*urls, **fixed), door.parts.admin)
        await stack.enter_async_context(serving_beside(config, listener))
        admin = httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            headers={"authorization": f"Bearer {ADMIN_KEY}"},
            trust_env=False,
            verify=_TLS,
            timeout=PATIENCE_S,
        )
        yield Operated(sims, door, await stack.enter_async_context(admin), fixed, found)
