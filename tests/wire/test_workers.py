"""`serve --workers N`: several processes that behave as one gateway."""

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.admission.limits.redis_process import RedisProcess
from tests.serve.test_running import run_to_its_end, write_settings
from tests.waiting import until
from tests.wire.several import CHAT, HELLO, PATIENCE_S, QUICK, SLOW, Several, is_running, met, several
from tests.wire.sims import fast
from tests.wire.test_earlier_deployments import replica
from vllm_gateway.sim import RunningSim
from vllm_gateway.telemetry.usage.statements import TABLE

BUDGET = 400
pytestmark = pytest.mark.timeout(300)


async def stream(door: Several) -> str:
    """Ask for an answer of a hundred tokens, over a connection of its own."""
    body = {**HELLO, "stream": True, "max_tokens": 100, "ignore_eos": True}
    return (await door.http.post(CHAT, json=body, headers={"connection": "close"})).text


async def streaming(door: Several, sim: RunningSim, count: int) -> "asyncio.Future[list[str]]":
    """Begin so many streams; return when all of them are under way."""
    streams = asyncio.gather(*(stream(door) for _ in range(count)))
    await until(lambda: sum(seen.target == CHAT for seen in sim.log.requests) == count, within_s=PATIENCE_S)
    return streams


async def test_all_workers_serve_at_one_port(tmp_path: Path) -> None:
    """The banner is printed once, connections are spread over both, and the admin routes tell of all of them."""
    async with replica(fast(itl_ms=1000)) as sim, several(tmp_path, sim.url) as door:
        assert len(door.workers) == 2
        assert door.printed.count("vllm-gateway on") == 1
        streams = await streaming(door, sim, 40)
        assert min(door.connections()) >= 8
        assert len((await door.admin.get("/admin/requests")).json()["data"]) == 40
        (told,) = (await door.admin.get("/admin/replicas")).json()["data"]
        assert (told["outstanding"], told["usable"]) == (40, True)
        streams.cancel()
        assert await door.stopped() == 0


async def test_a_worker_that_is_killed_under_load_is_replaced(tmp_path: Path) -> None:
    """Only what it was answering is lost; no new connection is refused, and soon there are two again."""
    answered, lost = 0, 0

    async def ask_on(door: Several, over: asyncio.Event) -> None:
        nonlocal answered, lost
        while not over.is_set():
            try:
                reply = await door.chat()
            except httpx2.ConnectError:
                raise
            except httpx2.TransportError:
                lost += 1
            else:
                assert reply.status_code == 200
                answered += 1

    async with replica(QUICK) as sim, several(tmp_path, sim.url) as door, asyncio.TaskGroup() as callers:
        over = asyncio.Event()
        for _ in range(8):
            callers.create_task(ask_on(door, over))
        await until(lambda: answered > 50, within_s=PATIENCE_S)
        first, second = door.workers
        await door.killed(first)
        before = answered
        await until(lambda: answered > before + 100, within_s=PATIENCE_S)
        over.set()
        assert second in door.workers
        assert lost <= 8
        assert f"(process {first}) ended by signal 9" in door.log.read_text()


async def test_told_to_stop_all_workers_finish_their_streams(tmp_path: Path) -> None:
    """Streams in both come to their proper end, and the status is 0."""
    async with replica(SLOW) as sim, several(tmp_path, sim.url) as door:
        streams = await streaming(door, sim, 20)
        assert await door.stopped() == 0
        assert all(text.endswith("data: [DONE]\n\n") for text in await streams)


async def test_a_signal_to_the_whole_group_counts_once(tmp_path: Path) -> None:
    """A terminal or a container sends it to every process; that is no order to drop everything."""
    async with replica(SLOW) as sim, several(tmp_path, sim.url) as door:
        streams = await streaming(door, sim, 10)
        for pid in door.workers:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        assert await door.stopped(signal.SIGINT) == 0
        assert all(text.endswith("data: [DONE]\n\n") for text in await streams)


async def test_settings_are_read_again_in_all_workers(tmp_path: Path) -> None:
    """By SIGHUP, and in a worker that comes later; wrong ones change nothing anywhere."""
    async with replica() as sim, several(tmp_path, sim.url) as door:
        path = tmp_path / "gateway.yaml"
        fixed = path.read_text()
        path.write_text(f"{fixed}aliases: {{other: sim-small}}\n")
        door.process.send_signal(signal.SIGHUP)
        await until(lambda: door.log.read_text().count("settings read again: aliases") == 2, within_s=PATIENCE_S)
        path.write_text(f"{fixed}aliases: 5\n")
        door.process.send_signal(signal.SIGHUP)
        await until(lambda: "stay as they were" in door.log.read_text(), within_s=PATIENCE_S)
        await door.killed(door.workers[0])
        assert set(await door.statuses(20, model="other")) == {200}


async def test_what_an_operator_does_holds_in_all_workers(tmp_path: Path) -> None:
    """Replicas that were drained, added and removed, by whichever worker: all do so, one that comes later too."""
    async with replica() as one, replica() as two, replica() as three, several(tmp_path, one.url, two.url) as door:
        assert (await door.admin.post("/admin/replicas/default-1/drain", json={})).status_code == 200
        assert (await door.admin.delete("/admin/replicas/default-2")).status_code == 200
        added = await door.admin.post("/admin/replicas", json={"url": three.url})
        assert added.status_code == 201, added.text
        for _ in range(2):
            for sim in (one, two, three):
                sim.log.requests.clear()
            assert set(await door.statuses(20)) == {200}
            asked = [sum(seen.target == CHAT for seen in sim.log.requests) for sim in (one, two, three)]
            assert asked == [0, 0, 20]
            told = (await door.admin.get("/admin/replicas")).json()["data"]
            assert sorted((row["url"], row["draining"]) for row in told) == sorted(
                [(one.url, True), (three.url, False)]
            )
            await door.killed(door.workers[0])


async def test_a_reload_by_the_admin_listener_holds_everywhere_when_it_answers(tmp_path: Path) -> None:
    """The answer comes when all workers have read the settings again."""
    async with replica() as sim, several(tmp_path, sim.url) as door:
        with (tmp_path / "gateway.yaml").open("a") as settings:
            settings.write("aliases: {other: sim-small}\n")
        told = await door.admin.post("/admin/reload", json={})
        assert told.json()["changed"] == ["aliases"]
        assert set(await door.statuses(20, model="other")) == {200}


async def test_a_key_opens_and_shuts_all_doors_at_once(tmp_path: Path) -> None:
    """Made and revoked by one worker, known to all when that has answered; one with limits of its own is refused."""
    async with replica() as sim, several(tmp_path, sim.url, auth="keys") as door:
        made = (await door.admin.post("/admin/keys", json={"name": "ann"})).json()
        door.http.headers["authorization"] = f"Bearer {made['key']}"
        assert set(await door.statuses(20)) == {200}
        await door.admin.delete(f"/admin/keys/{made['id']}")
        assert set(await door.statuses(20)) == {401}
        limited = await door.admin.post("/admin/keys", json={"name": "bob", "concurrent": 2})
        assert limited.status_code == 400
        assert "limits.backend" in limited.text


async def test_a_request_with_a_name_is_answered_once_by_all_workers(tmp_path: Path) -> None:
    """The same at the same moment waits for the one that was first; later it is given again; another one is refused."""
    async with replica(SLOW) as sim, several(tmp_path, sim.url) as door:

        async def ask(**fields: object) -> httpx2.Response:
            named = {"connection": "close", "idempotency-key": "order-1"}
            return await door.http.post(CHAT, json={**HELLO, "stream": True, **fields}, headers=named)

        for _ in range(2):
            replies = await asyncio.gather(*(ask() for _ in range(20)))
            assert {(reply.status_code, reply.content) for reply in replies} == {(200, replies[0].content)}
        assert {(await ask(temperature=0.5)).status_code for _ in range(10)} == {422}
        assert sum(seen.target == CHAT for seen in sim.log.requests) == 1


async def test_a_conversation_goes_on_in_any_worker(tmp_path: Path) -> None:
    """In one file: turns that are said at the same time are remembered one behind the other, none is lost."""
    async with replica() as sim, several(tmp_path, sim.url) as door:
        session = (await door.http.post("/v1/sessions", json={})).json()["id"]

        async def say(number: int) -> int:
            body = {"message": f"This is {number}.", "max_tokens": 4}
            path = f"/v1/sessions/{session}/chat"
            return (await door.http.post(path, json=body, headers={"connection": "close"})).status_code

        assert await asyncio.gather(*(say(number) for number in range(10))) == [200] * 10
        told = (await door.http.get(f"/v1/sessions/{session}/messages?limit=1000")).json()["data"]
    assert [message["role"] for message in told] == ["user", "assistant"] * 10
    assert {message["content"] for message in told[::2]} == {f"This is {number}." for number in range(10)}


async def test_every_request_is_in_the_ledger_once(tmp_path: Path) -> None:
    """All workers write into one file, and whichever is asked tells of all of them; the end of both loses nothing."""
    async with replica() as sim, several(tmp_path, sim.url, settings="usage: {backend: sqlite}\n") as door:
        assert set(await door.statuses(60)) == {200}

        async def is_told() -> bool:
            rows = (await door.admin.get("/admin/usage?group=model")).json()["data"]
            return [(row["requests"], row["completion_tokens"]) for row in rows] == [(60, 240)]

        await met(is_told)
        assert set(await door.statuses(20)) == {200}
        assert await door.stopped() == 0
    assert rows_and_writers(tmp_path) == (80, 2)


def rows_and_writers(folder: Path) -> tuple[int, int]:
    """Return how many requests a ledger has, and of how many processes."""
    (file,) = folder.rglob("usage.sqlite")
    with closing(sqlite3.connect(file)) as ledger:
        found = ledger.execute(f"SELECT count(*), count(DISTINCT writer) FROM {TABLE}")  # noqa: S608 - a constant
        rows, writers = found.fetchone()
        return rows, writers


async def test_the_embedded_engine_is_there_once(tmp_path: Path) -> None:
    """All workers use the same, and one that is killed comes back at its place."""
    async with several(tmp_path) as door:
        engine, *workers = door.workers
        assert len(workers) == 2
        assert set(await door.statuses(10)) == {200}
        await door.killed(engine)
        for _ in range(150):
            if set(await door.statuses(12)) == {200}:
                break
            await asyncio.sleep(0.1)
        assert set(await door.statuses(10)) == {200}
        assert await door.stopped() == 0


async def test_workers_that_nobody_watches_any_more_stop(tmp_path: Path) -> None:
    """When the process that watches is killed, the others finish and free the port."""
    async with replica() as sim, several(tmp_path, sim.url) as door:
        workers = door.workers
        door.process.kill()
        await until(lambda: not any(is_running(pid) for pid in workers), within_s=PATIENCE_S)
        with pytest.raises(httpx2.ConnectError):
            await door.chat()


@pytest.mark.servers
async def test_limits_in_redis_are_exact_over_all_workers(tmp_path: Path) -> None:
    """So many tokens are spent, whichever worker they come to; while Redis is too slow a budget lets nobody in."""
    redis = RedisProcess()
    redis.start()
    settings = f"limits:\n  backend: redis\n  tokens_per_day: {BUDGET}\nstate:\n  redis_url: {redis.url}\n"
    try:
        async with replica() as sim, several(tmp_path, sim.url, settings=settings) as door:
            replies = [reply for _ in range(20) for reply in await asyncio.gather(*(door.chat() for _ in range(6)))]
            spent = [reply.json()["usage"]["total_tokens"] for reply in replies if reply.status_code == 200]
            assert 429 in {reply.status_code for reply in replies}
            assert BUDGET / 2 <= sum(spent) <= BUDGET
            assert sum(spent) / len(spent) * len(replies) > 2 * BUDGET  # enough for both to spend it each for itself
    finally:
        redis.close()


def test_what_workers_would_get_wrong_is_refused_by_name(tmp_path: Path) -> None:
    """All of it at once, and nothing is started."""
    write_settings(tmp_path, "workers: 2\nlimits: {tokens_per_minute: 5}\nsession: {backend: memory}\n")
    ended = run_to_its_end(tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert [line.split()[1] for line in ended.stderr.splitlines()] == ["limits.tokens_per_minute", "session.backend"]


def test_what_keeps_workers_from_starting_is_told_once(tmp_path: Path) -> None:
    """One sentence, and the status is 1: the others are not even tried."""
    write_settings(tmp_path, "workers: 4\nport: 0\nrules: {deny_patterns: ['(']}\n")
    ended = run_to_its_end(tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count('"level":"error"') == 1
