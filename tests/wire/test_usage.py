"""What the usage ledger says of requests that went through a gateway, over real sockets."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx2

from tests.gateway import Gateway
from tests.waiting import until
from tests.wire.sims import fast, fleet
from vllm_gateway import codec
from vllm_gateway.clock import SystemClock
from vllm_gateway.sim import RunningSim
from vllm_gateway.telemetry.usage.sqlite import SqliteStore
from vllm_gateway.telemetry.usage.statements import TABLE
from vllm_gateway.telemetry.usage.writer import Writer

CHAT = "/v1/chat/completions"


@asynccontextmanager
async def kept(path: Path) -> AsyncIterator[tuple[list[RunningSim], Gateway]]:
    """Run two replicas and a gateway whose requests are written down in a file; all are, when this is left."""
    store = SqliteStore(path, limit_s=5)
    writer = Writer(store, keep_days=0, clock=SystemClock())
    writer.open()
    try:
        async with fleet(fast(), fast()) as (sims, door):
            door.parts.ledger.told.append(writer.take)
            yield sims, door
    finally:
        await writer.close()
        await store.close()


def rows(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows under the ids of their requests; no id is there twice."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute(f"SELECT * FROM {TABLE}")]  # noqa: S608 - a constant
    by_id = {row["request_id"]: row for row in found}
    assert len(by_id) == len(found)
    return by_id


async def ask(door: Gateway, request_id: str, **changed: object) -> dict[str, Any]:
    """Ask in one piece; return what came."""
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9} | changed
    reply = await door.http.post(CHAT, json=body, headers={"x-request-id": request_id})
    told: dict[str, Any] = reply.json()
    return told


async def stream(door: Gateway, request_id: str, **changed: object) -> tuple[int, int]:
    """Ask in a stream; return the tokens of prompt and answer that its usage tells."""
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9} | changed
    reply = await door.http.post(CHAT, json=body, headers={"x-request-id": request_id})
    events = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: {")]
    (usage,) = (told for event in events if (told := codec.loads(event).get("usage")))
    return usage["prompt_tokens"], usage["completion_tokens"]


async def test_every_request_is_there_once_with_the_tokens_of_its_answer(tmp_path: Path) -> None:
    """Fifty at once: what the callers were told is what is written down."""
    async with kept(tmp_path / "usage.sqlite") as (_, door):
        answers = await asyncio.gather(
            *(
                ask(door, f"request-{number:04}", messages=[{"role": "user", "content": "Hi " * number}])
                for number in range(50)
            )
        )
    found = rows(tmp_path / "usage.sqlite")
    assert len(found) == 50
    for number, answer in enumerate(answers):
        row = found[f"request-{number:04}"]
        assert row["prompt_tokens"] == answer["usage"]["prompt_tokens"]
        assert row["completion_tokens"] == answer["usage"]["completion_tokens"]
        assert (row["outcome"], row["status"], row["model"], row["path"]) == ("ok", 200, "sim-small", CHAT)
        assert 0 <= row["ended"] - row["started"] < 20


async def test_what_fails_is_there_once_too(tmp_path: Path) -> None:
    """An unknown model, a body that is none, a request that two replicas failed, and one that the second answered."""
    path = tmp_path / "usage.sqlite"
    async with kept(path) as (sims, door):
        await ask(door, "unknown-1", model="no-such-model")
        await door.http.post(CHAT, content=b"{", headers={"x-request-id": "malformed-1"})
        for sim in sims:
            sim.faults.add(["status=500x1"])
        await ask(door, "failed-12")
        sims[0].faults.add(["status=500x1"])
        await asyncio.gather(ask(door, "retried-1"), ask(door, "retried-2"))
    found = rows(path)
    assert set(found) == {"unknown-1", "malformed-1", "failed-12", "retried-1", "retried-2"}
    assert (found["unknown-1"]["outcome"], found["unknown-1"]["model"]) == ("bad_request", None)
    assert found["unknown-1"]["model_asked"] == "no-such-model"
    assert (found["malformed-1"]["outcome"], found["malformed-1"]["prompt_tokens"]) == ("bad_request", 0)
    assert (found["failed-12"]["outcome"], found["failed-12"]["attempts"]) == ("upstream_error", 2)
    both = [(found[name]["outcome"], found[name]["attempts"]) for name in ("retried-1", "retried-2")]
    assert sorted(both) == [("ok", 1), ("ok_retried", 2)]
    assert all(found[name]["completion_tokens"] > 0 for name in ("retried-1", "retried-2"))


async def test_a_stream_that_went_on_elsewhere_counts_as_one_answer(tmp_path: Path) -> None:
    """Its prompt is counted once, and of its words each."""
    path = tmp_path / "usage.sqlite"
    async with kept(path) as (sims, door):
        sims[0].faults.add(["eof@3x1"])
        names = ["stream-01", "stream-02"]
        options = {"stream": True, "ignore_eos": True, "temperature": 0, "stream_options": {"include_usage": True}}
        told = await asyncio.gather(*(stream(door, name, **options) for name in names))
    found = rows(path)
    assert sorted(found[name]["outcome"] for name in names) == ["ok", "ok_resumed"]
    assert sorted(found[name]["resumed"] for name in names) == [0, 1]
    for name, usage in zip(names, told, strict=True):
        assert (found[name]["prompt_tokens"], found[name]["completion_tokens"]) == usage
        assert found[name]["completion_tokens"] == 9


async def test_a_caller_who_leaves_is_written_down(tmp_path: Path) -> None:
    """With the outcome that says so."""
    path = tmp_path / "usage.sqlite"
    async with kept(path) as (sims, door):
        for sim in sims:
            sim.faults.add(["stall@2"])
        asking = asyncio.get_running_loop().create_task(ask(door, "leaves-1", stream=True))
        await until(lambda: any(seen.target == CHAT for sim in sims for seen in sim.log.requests))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: not door.parts.ledger.live)
    assert [(row["outcome"], row["attempts"]) for row in rows(path).values()] == [("client_gone", 1)]


@asynccontextmanager
async def written_down(path: Path, **settings: Any) -> AsyncIterator[tuple[list[RunningSim], Gateway]]:  # noqa: ANN401 - any setting
    """Run two slow replicas, and a gateway that is set to write its requests down."""
    usage = {"backend": "sqlite", "path": str(path)}
    async with fleet(fast(itl_ms=5), fast(itl_ms=5), usage=usage, **settings) as (sims, door):
        yield sims, door


async def leave_after(door: Gateway, request_id: str, tokens: int) -> int:
    """Ask for a long stream, and leave when so many tokens have come; return how many have."""
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 400, "stream": True}
    seen = 0
    async with door.http.stream(
        "POST", CHAT, json={**body, "ignore_eos": True}, headers={"x-request-id": request_id}
    ) as reply:
        async for line in reply.aiter_lines():
            assert '"usage"' not in line
            seen += '"content":"' in line and '"content":""' not in line
            if seen >= tokens:
                break
    return seen


async def test_what_a_caller_who_leaves_has_used_is_counted(tmp_path: Path) -> None:
    """D-03: the prompt and the tokens that its stream had come to, though it asked for no usage and saw none."""
    path = tmp_path / "usage.sqlite"
    async with written_down(path) as (_, door):
        whole = await ask(door, "whole-01")
        seen = await asyncio.gather(*(leave_after(door, f"leaves-{tokens:02}", tokens) for tokens in (1, 7, 30)))
        await until(lambda: not door.parts.ledger.live)
    found = rows(path)
    for tokens, came in zip((1, 7, 30), seen, strict=True):
        row = found[f"leaves-{tokens:02}"]
        assert row["outcome"] == "client_gone"
        assert row["prompt_tokens"] == whole["usage"]["prompt_tokens"]
        assert came <= row["completion_tokens"] < 400


async def test_however_requests_end_each_is_there_once_and_the_sums_agree(tmp_path: Path) -> None:
    """D-03, D-05: good ones, retried, resumed, refused, failed and left ones; what callers were told adds up."""
    path, faults = tmp_path / "usage.sqlite", ["status=500%10", "eof@3%10", "reset@2%10", "error@1%5", "reset@0%10"]
    told: dict[str, tuple[int, int]] = {}

    async def keep_asking(door: Gateway, caller: int) -> None:
        options = {"stream": True, "ignore_eos": True, "temperature": 0, "stream_options": {"include_usage": True}}
        for number in range(12):
            name = f"request-{caller:02}-{number:02}"
            match (caller + number) % 4:
                case 0:
                    with contextlib.suppress(httpx2.HTTPError):
                        await leave_after(door, name, 2)
                case 1:
                    await ask(door, name, max_tokens=-1)
                case 2:
                    answer = await ask(door, name)
                    if usage := answer.get("usage"):
                        told[name] = (usage["prompt_tokens"], usage["completion_tokens"])
                case _:
                    with contextlib.suppress(ValueError, httpx2.HTTPError):  # it failed for good, and told no usage
                        told[name] = await stream(door, name, **options)

    async with written_down(path) as (sims, door):
        for sim in sims:
            sim.faults.add(faults)
        await asyncio.gather(*(keep_asking(door, caller) for caller in range(8)))
        await until(lambda: not door.parts.ledger.live)
    found = rows(path)
    assert len(found) == 8 * 12
    for name, usage in told.items():
        assert (found[name]["prompt_tokens"], found[name]["completion_tokens"]) == usage
    good = {name for name, row in found.items() if row["outcome"].startswith("ok")}
    assert set(told) == good
    outcomes = {row["outcome"] for row in found.values()}
    assert {"bad_request", "client_gone", "ok"} <= outcomes
    assert outcomes & {"ok_retried", "ok_resumed"}
