"""Prometheus itself reads the page; needs Debian's package `prometheus`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.gateway import Gateway
from tests.wire.several import CHAT, HELLO
from tests.wire.sims import fast, fleet
from vllm_gateway import codec

pytestmark = pytest.mark.servers
_PATIENCE_S = 40.0


async def checked(page: bytes) -> tuple[int, list[str]]:
    """Return what `promtool check metrics` says: its status, and its lines."""
    process = await asyncio.create_subprocess_exec(
        *("promtool", "check", "metrics"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(page)
    return process.returncode or 0, said.decode().splitlines()


@asynccontextmanager
async def prometheus(folder: Path, door: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    """Run a Prometheus that scrapes a gateway once a second; give a client for it."""
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: gateway, static_configs: [{{targets: ['127.0.0.1:{door.port}']}}]}}]\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "prometheus.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=errors,
            stderr=errors,
        )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as http:
            yield http
    finally:
        process.terminate()
        await process.wait()


async def answer(http: httpx2.AsyncClient, query: str, wanted: float) -> float:
    """Ask until the answer is what is wanted, or for long enough; return the last one."""
    value = float("nan")
    async with asyncio.timeout(_PATIENCE_S):
        while value != wanted:
            await asyncio.sleep(0.1)
            try:
                reply = await http.get("/api/v1/query", params={"query": query})
            except httpx2.TransportError:  # it is about to start
                continue
            found: list[Any] = codec.loads(reply.content).get("data", {}).get("result", [])
            value = float(found[0]["value"][1]) if found else value
    return value


async def test_promtool_has_nothing_to_say() -> None:
    """But that vLLM's own names have a colon."""
    async with fleet(fast(), fast()) as (sims, door):
        sims[0].faults.add(["status=500x1"])
        for body in (HELLO, HELLO | {"stream": True}, HELLO | {"model": "unknown"}):
            await door.http.post(CHAT, json=body)
        page = (await door.http.get("/metrics")).content
        door.parts.scraping.includes_replicas = False
        own = (await door.http.get("/metrics")).content
    assert await checked(own) == (0, [])
    _, said = await checked(page)
    assert said
    assert {line.partition(" ")[2] for line in said} == {"metric names should not contain ':'"}


async def test_prometheus_scrapes_it(tmp_path: Path) -> None:
    """What it has taken in is what happened, and what the replicas tell."""
    async with fleet(fast(), fast()) as (_, door), prometheus(tmp_path, door) as http:
        for _ in range(5):
            assert (await door.http.post(CHAT, json=HELLO)).status_code == 200
        assert await answer(http, 'up{job="gateway"}', 1) == 1
        assert await answer(http, 'sum(gateway_requests_total{outcome="ok"})', 5) == 5
        assert await answer(http, "sum(gateway_request_duration_seconds_count)", 5) == 5
        assert await answer(http, 'count(count by (replica) ({__name__=~"vllm:.*"}))', 2) == 2
