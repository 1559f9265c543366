"""Asks the admin routes of a gateway, and tells it what to do."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.faults import Fault, Refused
from vllm_gateway.terminal.top.picture import Picture, read_picture

PATIENCE_S = 5.0
_NAMES_EVERY = 60
"""Names of keys change seldom; they are asked for once in so many pictures."""


class NoFleet(Exception):
    """There is no picture; the text says why, and what to do."""


class Feed:
    """One gateway, looked at again and again."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._names: Mapping[str, str] = {}
        self._looks = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return self._client.target.url

    async def look(self) -> Picture:
        """Return what it does now; raise `NoFleet` when that cannot be found out."""
        try:
            if self._looks % _NAMES_EVERY == 0:
                self._names = await self._read_names()
            pages = ("/admin/replicas", "/admin/requests", "/admin/recent")
            replicas, requests, recent = await asyncio.gather(
                *(self._client.get(page, patience_s=PATIENCE_S) for page in pages)
            )
            self._looks += 1
            return read_picture(replicas, requests, recent, caller_names=self._names)
        except Fault as fault:
            raise NoFleet(_sentence(fault, self.url)) from None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise NoFleet(f"What answers at {self.url} is no vllm-gateway of this version.") from None

    async def drain(self, replica: str) -> None:
        """Let nothing new go to a replica."""
        await self._order("POST", f"/admin/replicas/{quote(replica, safe='')}/drain")

    async def resume(self, replica: str) -> None:
        """Let a replica be asked again."""
        await self._order("POST", f"/admin/replicas/{quote(replica, safe='')}/resume")

    async def stop(self, request: str) -> None:
        """Stop a request."""
        await self._order("DELETE", f"/admin/requests/{quote(request, safe='')}")

    async def _order(self, method: str, path: str) -> None:
        try:
            await self._client.ask(method, path, {} if method == "POST" else None, patience_s=PATIENCE_S)
        except Fault as fault:
            raise NoFleet(_sentence(fault, self.url)) from None

    async def _read_names(self) -> dict[str, str]:
        """Return the names of callers by their ids; without them the ids have to do."""
        try:
            keys: Any = await self._client.get("/admin/keys", patience_s=PATIENCE_S)
        except Refused as refused:
            if refused.status == HTTPStatus.UNAUTHORIZED:
                raise
            return {}
        return {row["caller"]: row["name"] for row in keys["data"]}


def _sentence(fault: Fault, url: str) -> str:
    """Return what a person can do something with."""
    if not isinstance(fault, Refused):
        return str(fault) if url in str(fault) else f"{url}: {fault}"
    if fault.status == HTTPStatus.UNAUTHORIZED:
        return f"{url} wants the admin key (auth.admin_key). Give it with --admin-key or GATEWAY_AUTH__ADMIN_KEY."
    if fault.status == HTTPStatus.NOT_FOUND and fault.code == "not_found":
        return f"{url}: {fault} If this is where clients ask, use the admin listener's port instead (admin.port, 8081)."
    return f"{url}: {fault}"
