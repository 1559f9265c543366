"""The admin application, put together from its subjects."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.types import ASGIApp

from vllm_gateway.admission.keys.store import KeyStore
from vllm_gateway.clock import Clock
from vllm_gateway.edge.admin.admin_key import AdminKey, Throttle
from vllm_gateway.edge.admin.control import Control, control_routes
from vllm_gateway.edge.admin.gate import Gate
from vllm_gateway.edge.admin.keys import key_routes
from vllm_gateway.edge.admin.live import live_routes
from vllm_gateway.edge.admin.recent import recent_routes
from vllm_gateway.edge.admin.replicas import replica_routes
from vllm_gateway.edge.admin.ui import chat
from vllm_gateway.edge.admin.ui.routes import ui_routes
from vllm_gateway.edge.admin.ui.sessions import Sessions
from vllm_gateway.edge.admin.usage import usage_routes
from vllm_gateway.edge.house.faults import answer_faults
from vllm_gateway.edge.house.metrics import Scrape, metrics_route
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.recent import Recent
from vllm_gateway.telemetry.usage.store import UsageStore
from vllm_gateway.upstream.pool import Pool


@dataclass(frozen=True, slots=True)
class AdminSubjects:
    """What the admin routes tell of and change."""

    admin_key: str
    throttle: Throttle
    store: KeyStore
    """A store of its own: the one that is looked at for changes takes what it has read itself for known."""
    refresh_keys: Callable[[], Awaitable[None]]
    """Has this process take in what the store holds now."""
    ledger: Ledger
    pool: Pool
    control: Control
    scrape: Scrape
    door: ASGIApp
    """What answers callers; the chat box asks it."""
    clock: Clock
    recent: Recent
    waiting: Callable[[], int]
    """How many requests wait for a replica now."""
    usage: UsageStore | None = None
    """Where usage is written down, if it is; opened for reading, so that a long sum holds up no write."""


def build_admin(about: AdminSubjects) -> ASGIApp:
    """Return the application; nothing of it answers without the admin key, but for the page that asks for it."""
    admin_key, sessions = AdminKey(about.admin_key, about.throttle), Sessions(about.admin_key, about.clock)
    admin = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    admin.include_router(key_routes(about.store, about.refresh_keys, about.clock))
    admin.include_router(live_routes(about.ledger, about.clock))
    admin.include_router(recent_routes(about.recent, about.waiting, about.clock))
    admin.include_router(replica_routes(about.pool, about.control))
    admin.include_router(control_routes(about.control))
    admin.include_router(metrics_route(about.scrape))
    admin.include_router(usage_routes(about.usage, about.store, about.clock))
    admin.include_router(ui_routes(admin_key, sessions))
    admin.add_route(chat.PATH, chat.Chat(about.door), methods=["POST"])  # type: ignore[arg-type] # ASGI does as well
    answer_faults(admin)
    return Gate(admin, admin_key, sessions)
