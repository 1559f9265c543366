"""Deployments of five earlier services start unchanged: their environment, the command, and a documented call."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from tests.waiting import PATIENCE_S
from tests.wire.documented import (
    answered_chat,
    answered_chat_with_content,
    answered_embeddings,
    answered_init_session,
    answered_stream,
    answered_system_prompt,
    answered_turn,
    json_of,
    send,
)
from tests.wire.refused import check_error
from tests.wire.sims import asked, fast
from vllm_gateway.sim import RunningSim, SimSettings, start

MODEL = "sim-small"
PLAIN = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}  # noqa: TID251 - a test's own
HELLO = '{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}'


@asynccontextmanager
async def replica(settings: SimSettings | None = None) -> AsyncIterator[RunningSim]:
    """Run a sim that answers at once."""
    sim = await start(settings or fast())
    try:
        yield sim
    finally:
        await sim.close()


@asynccontextmanager
async def deployed(folder: Path, **environment: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Run `vllm-gateway serve` with nothing but this environment, and give a client for it."""
    async with served(folder, **environment) as (http, _):
        yield http


@asynccontextmanager
async def served(
    folder: Path, **environment: str
) -> AsyncIterator[tuple[httpx2.AsyncClient, asyncio.subprocess.Process]]:
    """Do the same, and give the process too."""
    told = folder / "gateway.log"
    with told.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "vllm_gateway", "serve"),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env={**PLAIN, "XDG_STATE_HOME": str(folder), **environment},
        )
    try:
        assert process.stdout is not None
        banner = b""
        async with asyncio.timeout(PATIENCE_S):
            while b"curl" not in banner:
                line = await process.stdout.readline()
                assert line, told.read_text()
                banner += line
        address = re.search(rb"http://127\.0\.0\.1:\d+", banner)
        assert address is not None
        async with httpx2.AsyncClient(base_url=address.group().decode(), timeout=PATIENCE_S, trust_env=False) as http:
            yield http, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # unlike `wait` it closes the pipe, too


async def test_one_model_behind_one_address(tmp_path: Path) -> None:
    """An address, a model and a port; limits that are off; a page that may call it from a browser."""
    origin = "http://localhost:3000"
    async with (
        replica() as sim,
        deployed(
            tmp_path,
            VLLM_BASE_URL=f"{sim.url}/v1",
            MODEL_ID=MODEL,
            PORT="0",
            RATE_LIMIT_PER_MINUTE="0",
            CORS_ORIGINS=origin,
            LOG_LEVEL="INFO",
        ) as http,
    ):
        answered_chat_with_content(await send(http, "", "/chat", HELLO))
        answered_embeddings(2)(await send(http, "", "/embed", '{"input": ["a", "b"]}'))
        asks_first = {"origin": origin, "access-control-request-method": "POST"}
        allowed = await http.options("/chat", headers={**asks_first, "access-control-request-headers": "content-type"})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, origin)


async def test_several_models_by_key(tmp_path: Path) -> None:
    """A route for each key, one of them the default, and an allow-list."""
    async with (
        replica(fast(models=("tiny-model",))) as tiny,
        replica(fast(models=("large-model", "hidden"))) as large,
        deployed(
            tmp_path,
            MODEL_ROUTE_TINY=f"{tiny.url}/v1",
            MODEL_ROUTE_LARGE=large.url,
            DEFAULT_MODEL_KEY="TINY",
            ALLOWED_MODELS="tiny-model, large-model",
            API_PORT="0",
            RATE_LIMIT_PER_MIN="0",
        ) as http,
    ):
        for key, model in ((None, "tiny-model"), ("tiny", "tiny-model"), ("LARGE", "large-model")):
            named = f', "modelKey": "{key}"' if key else ""
            model_named = f', "model": "{model}"' if key == "LARGE" else ""
            body = f'{{"message": "Hello", "max_tokens": 8{named}{model_named}}}'
            reply = await send(http, "", "/api/chat", body)
            answered_chat(reply)
            assert reply.json()["model"] == model
        forbidden = await send(http, "", "/api/chat", '{"message": "Hello", "model": "hidden"}')
        health = json_of(await http.get("/api/healthz"))
        models = json_of(await http.get("/api/models"))
    assert forbidden.status_code == 403
    assert health["status"] == "healthy"
    assert sorted(row["id"] for row in models["data"]) == ["large-model", "tiny-model"]


async def test_a_proxy_with_a_key_of_its_own(tmp_path: Path) -> None:
    """OpenAI's routes behind one client key; what is off stays off."""
    async with (
        replica() as sim,
        deployed(
            tmp_path,
            OPENAI_BASE_URL=f"{sim.url}/v1",
            DEFAULT_MODEL_NAME=MODEL,
            PROXY_API_KEY="proxy-key-1",
            AUTH_REQUIRED="true",
            USE_REDIS="0",
            METRICS_PUBLIC="false",
            PORT="0",
        ) as http,
    ):
        assert (await send(http, "", "/v1/chat/completions", HELLO)).status_code == 401
        check_error(await send(http, "", "/api/chat", HELLO))
        http.headers["Authorization"] = "Bearer proxy-key-1"
        answered_chat(await send(http, "", "/v1/chat/completions", HELLO))
        answered_stream(await send(http, "", "/api/chat", HELLO))
        assert asked(sim)[0]["model"] == MODEL
        assert sim.log.requests[-1].header("authorization") is None


async def test_conversations_with_a_key_of_the_replica(tmp_path: Path) -> None:
    """The replica's key begins sessions, which live as long and hold as much as it says."""
    async with (
        replica(fast(api_key="vllm-key-1")) as sim,
        deployed(
            tmp_path,
            VLLM_URL=sim.url,
            VLLM_API_KEY="vllm-key-1",
            SESSION_TTL_SECONDS="600",
            MAX_CONTEXT_TOKENS="256",
            PORT="0",
        ) as http,
    ):
        wrong = await send(http, "", "/init_session", '{"vllm_api_key": "wrong"}')
        opened = await send(http, "", "/init_session", '{"vllm_api_key": "vllm-key-1"}')
        answered_init_session(opened)
        own = f'"session_id": "{opened.json()["session_id"]}"'
        prompt = await send(http, "", "/set_system_prompt", f'{{{own}, "system_prompt": "Be brief."}}')
        answered_system_prompt(prompt)
        for _ in range(12):
            turn = await send(http, "", "/chat", f'{{{own}, "message": "What is a session?", "max_tokens": 32}}')
            answered_turn(turn)
            assert turn.json()["input_tokens"] <= 256 - 32
    assert wrong.status_code == 401
    assert len(asked(sim)[-1]["messages"]) < 24
    assert [path.name for path in (tmp_path / "vllm-gateway").glob("sessions.sqlite")] == ["sessions.sqlite"]


async def test_streams_with_a_heartbeat(tmp_path: Path) -> None:
    """Time-outs, a heartbeat and a model by name; every limit that is 0 is none."""
    async with (
        replica(fast(faults=("deaf=0.5",))) as sim,
        deployed(
            tmp_path,
            VLLM_URL=f"{sim.url}/",
            VLLM_MODEL_NAME=MODEL,
            ALLOW_ORIGINS="*",
            SSE_HEARTBEAT_SECONDS="0.1",
            CONNECT_TIMEOUT_SECONDS="5",
            READ_TIMEOUT_SECONDS="60",
            WRITE_TIMEOUT_SECONDS="10",
            TOTAL_TIMEOUT_SECONDS="120",
            GATEWAY_RATE_LIMIT_RPS="0",
            GATEWAY_MAX_TOKENS_CAP="0",
            GATEWAY_CACHE_TTL_SECONDS="600",
            AUTH_REQUIRED="false",
            PROMETHEUS_ENABLE="0",
            PORT="0",
        ) as http,
    ):
        reply = await send(http, "", "/api/chat/stream", HELLO)
        health = json_of(await http.get("/api/healthz"))
    answered_stream(reply)
    assert reply.text.startswith(": keepalive\n\n")
    assert health["status"] == "healthy"
