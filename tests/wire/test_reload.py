"""Settings that are read again while the gateway is at work."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.waiting import PATIENCE_S, until
from tests.wire.operated import operated
from tests.wire.sims import asked, fast
from tests.wire.streams import CHAT, MODEL, Streamed, ask
from vllm_gateway.settings.model import Upstream
from vllm_gateway.settings.problems import Problem, SettingsInvalid
from vllm_gateway.sim import RunningSim, SimSettings

SLOW = fast(itl_ms=4)


async def test_no_open_stream_notices_a_reload() -> None:
    """D-11: twenty streams go on while all around them is made anew and one of two replicas leaves: all end well."""
    async with operated(SLOW, SLOW, SLOW, used=2) as run:
        http = run.door.http
        streams = [Streamed(http, f"Question {number}", tokens=100) for number in range(20)]
        await until(lambda: all(stream.text for stream in streams))
        holding = asyncio.get_running_loop().create_task(hold_near_the_end(run.sims, streams))
        leaving = run.door.parts.pool.replicas[0]
        assert leaving.outstanding > 0
        run.write(run.sims[1].url, run.sims[2].url, timeouts={"idle_s": 7}, limits={"max_body_bytes": 4096})
        told = await run.reload()
        assert told["changed"] == ["upstreams", "limits.max_body_bytes", "timeouts.idle_s"]
        assert told["removed"] == ["default-1"]
        before = len(asked(run.sims[0]))
        for _ in range(6):
            assert (await ask(http)).status_code == 200
        assert len(asked(run.sims[0])) == before
        assert asked(run.sims[2])
        assert (await http.post(CHAT, content=b"x" * 5000)).status_code == 413
        assert not any(stream.is_done for stream in streams), "the reload came too late to be of any interest"
        holding.cancel()
        for sim in run.sims:
            sim.wedge(is_wedged=False)
        await asyncio.gather(*(stream.task for stream in streams))
        assert all(stream.is_whole for stream in streams)
        assert leaving.outstanding == 0
        await run.reload()
        assert not run.door.parts.fronts._earlier


async def hold_near_the_end(sims: list[RunningSim], streams: list[Streamed]) -> None:
    """Let no stream come to its end before somebody lets it."""
    await until(lambda: any(len(stream.text) > 150 for stream in streams))
    for sim in sims[:2]:
        sim.wedge(is_wedged=True)


async def test_what_stays_keeps_its_name_its_connections_and_what_is_known_of_it() -> None:
    """Only its weight and its key are new; the name of one that left is free again."""
    async with operated(fast(), fast(api_key="sk-2"), used=1) as run:
        (first,) = run.door.parts.pool.replicas
        assert (await ask(run.door.http)).status_code == 200
        idle = len(first._idle)
        assert idle
        first_again = Upstream.model_validate({"url": run.sims[0].url, "weight": 3, "max_concurrent": 5})
        run.write(first_again, Upstream.model_validate({"url": run.sims[1].url, "api_key": "sk-2"}))
        await run.reload()
        assert run.door.parts.pool.replicas[0] is first
        assert (first.weight, first.max_outstanding, len(first._idle)) == (3, 5, idle)
        assert [row["usable"] for row in (await run.replicas()).values()] == [True, True]
        run.write(Upstream.model_validate({"url": run.sims[1].url, "api_key": "sk-2"}))
        await run.reload()
        assert list(await run.replicas()) == ["default-2"]
        run.write(*(sim.url for sim in reversed(run.sims)))
        await run.reload()
        assert sorted(await run.replicas()) == ["default-1", "default-2"]


async def test_wrong_settings_change_nothing() -> None:
    """D-11: the answer says what is wrong; what counted before still counts."""
    async with operated(fast(), aliases={"mine": MODEL}) as run:
        before = run.door.parts.pipeline
        run.found.append(SettingsInvalid([Problem("gateway.yaml:3", "must be a number", ("port",))]))
        reply = await run.admin.post("/admin/reload", json={})
        assert reply.status_code == 400
        assert "gateway.yaml:3: port must be a number" in reply.json()["error"]["message"]
        run.write(run.sims[0].url, rules={"deny_patterns": ["("]})
        reply = await run.admin.post("/admin/reload", json={})
        assert (reply.status_code, run.door.parts.pipeline is before) == (400, True)
        body = {"model": "mine", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
        assert (await run.door.http.post(CHAT, json=body)).status_code == 200


async def test_what_is_read_at_the_start_only_is_named() -> None:
    """It stays as it was, and so it is named again next time; what else was changed counts."""
    async with operated(fast(), cors_origins=()) as run:
        run.write(run.sims[0].url, port=9999, default_model=MODEL, session={"ttl_s": 5}, cors_origins=["http://a.b"])
        for changed in (["default_model", "cors_origins"], []):
            told = await run.reload()
            assert (told["changed"], told["needs_restart"]) == (changed, ["port", "session.ttl_s"])
        shown = (await run.admin.get("/admin/config")).json()["settings"]
        assert (shown["port"], shown["default_model"], shown["auth"]["admin_key"]) == (8080, MODEL, "********")
        reply = await run.door.http.get("/health", headers={"origin": "http://a.b"})
        assert reply.headers["access-control-allow-origin"] == "http://a.b"


async def test_keys_of_the_settings_come_and_go() -> None:
    """A key that was taken out lets nobody in any more, one that was put in does."""
    keys = {"mode": "keys", "admin_key": "the-admin-key-of-the-tests"}
    async with operated(fast(), auth={**keys, "client_keys": ["first-key"]}) as run:
        http, old, new = run.door.http, {"x-api-key": "first-key"}, {"x-api-key": "second-key"}
        assert (await http.get("/v1/models", headers=old)).status_code == 200
        assert (await http.get("/v1/models", headers=new)).status_code == 401
        run.write(run.sims[0].url, auth={**keys, "client_keys": ["second-key"]})
        await run.reload()
        assert (await http.get("/v1/models", headers=old)).status_code == 401
        assert (await http.get("/v1/models", headers=new)).status_code == 200


async def test_a_queue_can_begin_with_a_reload() -> None:
    """A replica that takes one request at a time from now on gets one at a time."""
    async with operated(fast(itl_ms=2)) as run:
        run.write(Upstream(url=run.sims[0].url, max_concurrent=1))
        await run.reload()
        (replica,) = run.door.parts.pool.replicas
        asking = [asyncio.get_running_loop().create_task(ask(run.door.http)) for _ in range(4)]
        most = 0
        while not all(task.done() for task in asking):
            most = max(most, replica.outstanding)
            await asyncio.sleep(0.001)
        assert [task.result().status_code for task in asking] == [200] * 4
        assert most == 1


async def test_while_it_shuts_down_nothing_is_read() -> None:
    """The end is not put off by a reload."""
    async with operated(SimSettings(ttft_ms=0, itl_ms=10), drain_s=5) as run:
        stream = Streamed(run.door.http, "Hello", tokens=60)
        await until(lambda: bool(stream.text))
        run.door.stop()
        await until(lambda: run.door.parts.pipeline.is_draining)
        assert (await run.admin.post("/admin/reload", json={})).status_code == 503
        await stream.task
        assert stream.is_whole


def test_sighup_reads_the_file_again(tmp_path: Path) -> None:
    """The program itself: an alias appears, a broken file changes nothing and is told in the log."""
    path = tmp_path / "gateway.yaml"
    kept = "session: {backend: memory}\n"
    path.write_text(kept)
    command = [sys.executable, "-m", "vllm_gateway", "serve", "--config", str(path), "--port", "0"]
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}  # noqa: TID251 - a test's own
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=clean
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            printed = ""
            while "curl" not in printed:
                line = process.stdout.readline()
                assert line, process.stderr.read()
                printed += line
            url = re.search(r"http://127\.0\.0\.1:\d+", printed)
            assert url is not None
            with httpx2.Client(base_url=url.group(), trust_env=False) as http:
                for text, is_there in (("aliases: {mine: sim-small}\n", True), ("aliases: [\n", True), ("", False)):
                    path.write_text(kept + text)
                    process.send_signal(signal.SIGHUP)
                    line = process.stderr.readline()
                    while "settings" not in line.lower():
                        line = process.stderr.readline()
                    assert ("stay as they were" in line) is ("[" in text)
                    ids = [row["id"] for row in http.get("/v1/models").json()["data"]]
                    assert ("mine" in ids) is is_there
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=PATIENCE_S) == 0
        finally:
            process.kill()
