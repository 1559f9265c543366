"""Secrets stay where they are: in no line of the log at any level, no span, no metric, no error, no page."""

import contextlib
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.telemetry.tracing.collector import collecting
from tests.waiting import PATIENCE_S, until
from tests.wire.programs import program
from tests.wire.sims import fast
from vllm_gateway import codec
from vllm_gateway.sim import start

CHAT = "/v1/chat/completions"
CLIENT = "client-canary-0123456789"
ADMIN = "admin-canary-0123456789"
REPLICA = "replica-canary-0123456789"
REDIS = "redis-canary-0123456789"
COLLECTOR = "collector-canary-0123456789"
TENANT = "tenant-canary-0123456789"
WRONG = "wrong-canary-0123456789"
COOKIE = "cookie-canary-0123456789"
PROMPT = "prompt-canary-0123456789"
SYSTEM = "system-canary-0123456789"
BAGGAGE = "baggage-canary-0123456789"
KEYS = (CLIENT, ADMIN, REPLICA, REDIS, COLLECTOR, TENANT, WRONG, COOKIE, BAGGAGE)


def settings(folder: Path) -> dict[str, str]:
    """Return settings with a secret in every place that has one, and everything noted that can be."""
    return {
        "GATEWAY_ADMIN__PORT": "0",
        "GATEWAY_AUTH__ADMIN_KEY": ADMIN,
        "GATEWAY_AUTH__CLIENT_KEYS": f'["{CLIENT}"]',
        "GATEWAY_AUTH__MODE": "keys",
        "GATEWAY_CACHE__BACKEND": "redis",
        "GATEWAY_ISOLATE_PREFIX_CACHE": "true",
        "GATEWAY_LOG_LEVEL": "debug",
        "GATEWAY_METRICS__PUBLIC": "true",
        "GATEWAY_SESSION__BACKEND": "sqlite",
        "GATEWAY_SESSION__PATH": str(folder / "sessions.sqlite"),
        "GATEWAY_STATE__REDIS_URL": f"redis://:{REDIS}@127.0.0.1:9/0",
        "GATEWAY_TENANT_SECRET": TENANT,
        "GATEWAY_TRACING__ENABLED": "true",
        "GATEWAY_USAGE__BACKEND": "sqlite",
        "GATEWAY_USAGE__PATH": str(folder / "usage.sqlite"),
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{COLLECTOR}",
        "VLLM_API_KEY": REPLICA,
    }


async def talk(http: httpx2.AsyncClient) -> tuple[list[str], list[str]]:
    """Ask in all ways, right and wrong; return what came back where it was wrong, and what became a secret meanwhile.

    That is the id of a session of the first shape, which lets one in, and an answer.
    """
    message = {"role": "user", "content": PROMPT}
    body: dict[str, Any] = {"model": "sim-small", "messages": [message], "max_tokens": 12}
    headers = {
        "authorization": f"Bearer {CLIENT}",
        "baggage": BAGGAGE,
        "cookie": COOKIE,
        "x-forwarded-for": COOKIE,
        "idempotency-key": COOKIE,
    }
    stream = await http.post(CHAT, json={**body, "stream": True}, headers=headers)
    whole = await http.post(CHAT, json=body, headers={"x-api-key": CLIENT})
    assert [stream.status_code, whole.status_code] == [200, 200]
    opened = (await http.post("/init_session", json={"vllm_api_key": CLIENT})).json()["session_id"]
    assert (await http.post("/chat", json={"session_id": opened, "message": PROMPT})).status_code == 200
    session = (await http.post("/v1/sessions", json={"system_prompt": SYSTEM}, headers=headers)).json()["id"]
    for _ in range(2):
        turn = await http.post(f"/v1/sessions/{session}/chat", json={"message": PROMPT}, headers=headers)
        assert turn.status_code == 200, turn.text
    wrong = [
        await http.post(CHAT, json=body, headers={"authorization": f"Bearer {WRONG}"}),
        await http.post(CHAT, json=body, headers={"x-api-key": WRONG}),
        await http.post(CHAT, json={**body, "temperature": PROMPT}, headers=headers),
        await http.post(CHAT, json={**body, "messages": PROMPT}, headers=headers),
        await http.post(CHAT, content=f'{{"messages":"{PROMPT}'.encode(), headers=headers),
        await http.post(f"{CHAT}?key={WRONG}", json={**body, "model": "unknown"}, headers=headers),
        await http.get("/unknown", headers=headers),
    ]
    assert all(reply.status_code >= 400 for reply in wrong)
    answer = whole.json()["choices"][0]["message"]["content"]
    return [f"{reply.headers} {reply.text}" for reply in wrong], [opened, answer]


async def admin_pages(url: str) -> list[str]:
    """Return what the admin listener says, to one with the right key and to one with a wrong one."""
    async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S) as http:
        paths = ("config", "replicas", "requests", "recent", "keys")
        right = [await http.get(f"/{path}", headers={"x-api-key": ADMIN}) for path in paths]
        assert [reply.status_code for reply in right] == [200] * len(paths)
        wrong = await http.get("/config", headers={"x-api-key": WRONG})
        assert wrong.status_code == 401
    return [f"{reply.headers} {reply.text}" for reply in (*right, wrong)]


def leaks(secret: str, texts: list[str]) -> list[str]:
    """Return where a secret stands, with some of what is around it."""
    return [text[max(0, text.index(secret) - 200) :][:300] for text in texts if secret in text]


async def test_no_secret_is_told_to_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor passwords, nor anything that was said; at `debug`, with everything switched on."""
    sim = await start(fast(api_key=REPLICA))
    async with contextlib.AsyncExitStack() as stack, collecting(monkeypatch) as collector:
        stack.push_async_callback(sim.close)
        wanted = settings(tmp_path) | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        async with (
            program(tmp_path, sim.url, most_files=4096, **wanted) as door,
            httpx2.AsyncClient(base_url=door.url, timeout=PATIENCE_S) as http,
        ):
            replies, made = await talk(http)
            told = await admin_pages(door.admin_url)
            told += [(await http.get("/metrics")).text]
            log = tmp_path / "gateway.log"
            await until(lambda: log.read_text().count('"event":"request"') == 11)
            await until(lambda: len(collector.servers) == 11)
    answers = [codec.loads(seen.body) for seen in sim.log.requests if seen.body]
    told += [log.read_text(), *(body.decode("latin-1") for body in collector.bodies)]
    assert any(PROMPT in str(answer) for answer in answers)  # what was said did get to where it belongs
    assert any(f"bearer {COLLECTOR}".encode() in head.lower() for head in collector.heads)
    for secret in (*KEYS, PROMPT, SYSTEM, *made):
        assert leaks(secret, told) == []
    for secret in KEYS:  # of what was said, a replica may tell its caller what is wrong with it
        assert leaks(secret, replies) == []
