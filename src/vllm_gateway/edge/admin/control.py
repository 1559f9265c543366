"""`/admin/config` and `/admin/reload`: the settings that count, and how others come to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from fastapi import APIRouter

from vllm_gateway.settings.model import Upstream


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of reading the settings again."""

    changed: Sequence[str]
    """Settings that count now."""
    needs_restart: Sequence[str]
    """Settings that were changed and are read at the start only: they stay as they were."""
    removed: Sequence[str]
    """Replicas that get nothing new any more; what they are answering goes on."""


class Control(Protocol):
    """What can be done to the whole gateway while it runs."""

    def config(self) -> dict[str, Any]:
        """Return the settings that count, without secrets."""
        ...

    def check_new(self, upstream: Upstream) -> None:
        """Return when a replica may be added.

        Raises:
            FieldInvalid: it wants what this gateway cannot do.
        """
        ...

    async def look(self) -> None:
        """Look at every replica now."""
        ...

    async def reload(self) -> Reloaded:
        """Read the settings again and take them over; no answer that is under way notices.

        Raises:
            Draining: the gateway is about to stop.
            FieldInvalid: they are wrong, and those of before stay.
        """
        ...


def control_routes(control: Control) -> APIRouter:
    """Return the routes about the settings."""
    routes = APIRouter(prefix="/admin")

    @routes.get("/config")
    async def show_config() -> dict[str, Any]:
        return {"object": "config", "settings": control.config()}

    @routes.post("/reload")
    async def reload() -> dict[str, Any]:
        return {"object": "reload", **asdict(await control.reload())}

    return routes
