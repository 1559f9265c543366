"""What a gateway has acknowledged is there after `kill -9`."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2

from tests.waiting import until
from tests.wire.test_earlier_deployments import deployed, replica, served

SPEAKERS = 8
KILLED_AFTER = 200
"""Acknowledged turns until the kill."""


async def speak(http: httpx2.AsyncClient, session_id: str, acknowledged: list[str], *, stream: bool) -> None:
    """Say numbers until the gateway dies; note each of which the end was seen."""
    for number in range(10_000):
        word = f"{session_id}-{number}"
        body = {"message": word, "max_tokens": 2, "stream": stream}
        try:
            reply = await http.post(f"/v1/sessions/{session_id}/chat", json=body)
        except httpx2.TransportError:
            return
        assert reply.status_code == 200, reply.text
        if not stream or reply.text.endswith("data: [DONE]\n\n"):
            acknowledged.append(word)


async def test_acknowledged_turns_survive_a_kill(tmp_path: Path) -> None:
    """D-09: eight conversations and a kill: the file is whole, and every turn whose end was seen is there."""
    acknowledged: list[str] = []
    async with replica() as sim:
        settings = {"GATEWAY_PORT": "0", "VLLM_BASE_URL": f"{sim.url}/v1", "DEFAULT_MODEL": "sim-small"}
        async with served(tmp_path, **settings) as (http, process), asyncio.TaskGroup() as speakers:
            sessions = [(await http.post("/v1/sessions")).json()["id"] for _ in range(SPEAKERS)]
            for number, session_id in enumerate(sessions):
                speakers.create_task(speak(http, session_id, acknowledged, stream=number % 2 == 0))
            await until(lambda: len(acknowledged) >= KILLED_AFTER)
            process.kill()
        with closing(sqlite3.connect(tmp_path / "vllm-gateway" / "sessions.sqlite")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        async with deployed(tmp_path, **settings) as http:
            kept = [word for session_id in sessions for word in await said(http, session_id)]
    assert len(acknowledged) >= KILLED_AFTER
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))


async def said(http: httpx2.AsyncClient, session_id: str) -> list[str]:
    """Return what was said in a session, each with an answer behind it."""
    rows = (await http.get(f"/v1/sessions/{session_id}/messages?limit=1000")).json()["data"]
    assert [row["role"] for row in rows] == ["user", "assistant"] * (len(rows) // 2)
    return [row["content"] for row in rows if row["role"] == "user"]
