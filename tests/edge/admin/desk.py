"""An admin API on a real socket, and the parts of a gateway that it tells of."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from tests.waiting import PATIENCE_S
from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.keys.stores.file import FileStore
from vllm_gateway.admission.keys.throttle import Throttle
from vllm_gateway.clock import HandClock
from vllm_gateway.edge.admin.building import AdminSubjects, build_admin
from vllm_gateway.edge.admin.control import Control, Reloaded
from vllm_gateway.edge.admin.listener import serving_beside
from vllm_gateway.edge.connection import bounded_protocol
from vllm_gateway.errors import FieldInvalid, GatewayError
from vllm_gateway.settings.admission import Auth
from vllm_gateway.settings.model import Upstream
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.recent import Recent
from vllm_gateway.telemetry.usage.store import UsageStore
from vllm_gateway.upstream.pool import Pool

MOST = 1000
"""What this gateway lets a replica have at once."""


class Levers(Control):
    """What can be done to a gateway, noted down instead of done."""

    def __init__(self, pool: Pool) -> None:
        self.settings: dict[str, Any] = {"port": 8080}
        self.looks = 0
        self.reloaded: Reloaded | GatewayError = Reloaded([], [], [])
        """What comes of reading the settings again."""
        self._pool = pool

    @override
    def config(self) -> dict[str, Any]:
        return self.settings

    @override
    def check_new(self, upstream: Upstream) -> None:
        if upstream.max_concurrent > MOST:
            raise FieldInvalid("Not here.", param="max_concurrent")

    @override
    async def look(self) -> None:
        self.looks += 1
        for replica in self._pool.replicas:
            replica.is_known = self.looks > 1

    @override
    async def reload(self) -> Reloaded:
        if isinstance(self.reloaded, GatewayError):
            raise self.reloaded
        return self.reloaded


ADMIN_KEY = "the-admin-key-of-the-tests"
UPSTREAM = Upstream.model_validate({"url": "http://gpu.internal:8000/v1", "route": "big", "api_key": "sk-replica"})
_TLS = ssl.create_default_context()
"""Made once, because that takes long; nothing here is encrypted."""


@dataclass
class Desk:
    """A running admin API, a client that has its key, and what is behind it."""

    http: httpx2.AsyncClient
    port: int
    keys: Keys
    clock: HandClock
    ledger: Ledger
    pool: Pool
    levers: Levers


@asynccontextmanager
async def desk(folder: Path, *, body_s: float = 5.0, usage: UsageStore | None = None) -> AsyncIterator[Desk]:
    """Run an admin API; its keys are in a file in `folder`."""
    clock = HandClock()
    path = folder / "keys.yaml"
    keys = Keys(Auth(mode="keys"), store=FileStore(path), clock=clock)
    ledger = Ledger(clock)
    pool = Pool([UPSTREAM], clock=clock, connect_s=1)
    levers = Levers(pool)
    recent = Recent()
    ledger.told.append(recent.tell)

    async def scrape() -> bytes:
        return b"gateway_workers 1\n"

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what was asked, and by which path."""
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["path"].encode())]})
        names = b",".join(name for name, _ in scope["headers"])
        await send({"type": "http.response.body", "body": body + b"|" + names})

    about = AdminSubjects(
        admin_key=ADMIN_KEY,
        throttle=Throttle(clock),
        store=FileStore(path),
        refresh_keys=keys.refresh,
        ledger=ledger,
        pool=pool,
        control=levers,
        scrape=scrape,
        door=echo,
        clock=clock,
        recent=recent,
        waiting=lambda: 3,
        usage=usage,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    async with (
        serving_beside(_config(build_admin(about), body_s), listener),
        httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"authorization": f"Bearer {ADMIN_KEY}"},
            trust_env=False,
            verify=_TLS,
            timeout=PATIENCE_S,
        ) as http,
    ):
        await keys.open()
        try:
            yield Desk(http, port, keys, clock, ledger, pool, levers)
        finally:
            await keys.close()


def _config(app: object, body_s: float) -> uvicorn.Config:
    protocol = bounded_protocol(max_head_bytes=65_536, head_s=5, body_s=body_s)
    return uvicorn.Config(
        app,  # type: ignore[arg-type] # an ASGI application
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
