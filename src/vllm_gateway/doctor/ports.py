"""Ports that the gateway wants to listen on."""

import asyncio
import socket
from collections.abc import AsyncIterator

from vllm_gateway.doctor.finding import Finding, fail, ok
from vllm_gateway.settings import Settings
from vllm_gateway.settings.own_url import own_url
from vllm_gateway.terminal.api import Client, Fault, Target

PATIENCE_S = 3.0


async def look_at_ports(settings: Settings) -> AsyncIterator[Finding]:
    """Say of each port whether it is free, or has a gateway already."""
    yield await _look("port", settings.host, settings.port)
    if settings.auth.admin_key is not None:
        yield await _look("admin.port", settings.admin.host, settings.admin.port)


async def _look(setting: str, host: str, port: int) -> Finding:
    if port == 0:
        return ok(setting, "0: the system chooses a free one")
    reason = await asyncio.to_thread(why_not_free, host, port)
    if reason is None:
        return ok(setting, f"{host}:{port} is free")
    if await _is_gateway(host, port):
        return ok(setting, f"a gateway runs on {host}:{port} already")
    return fail(setting, f"{host}:{port} cannot be listened on: {reason}", f"Choose another {setting}.")


def why_not_free(host: str, port: int) -> str | None:
    """Return what keeps us from listening there; None when nothing does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(1)
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return None


async def _is_gateway(host: str, port: int) -> bool:
    client = Client(Target.at(own_url(host, port)))
    try:
        async with asyncio.timeout(PATIENCE_S):
            told = await client.get("/livez")
    except (Fault, TimeoutError):
        return False
    return isinstance(told, dict) and told.get("ok") is True
