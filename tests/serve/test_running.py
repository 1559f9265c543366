"""The program as a user starts it: a process of its own, its words, its signals and its exit status."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import openai
import pytest

from tests.waiting import PATIENCE_S

CLEAN = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}  # noqa: TID251 - a test's own


@contextmanager
def serving(*arguments: str, cwd: Path) -> Iterator[tuple["subprocess.Popen[str]", str, str]]:
    """Run `vllm-gateway serve`; give the process, its address and what it printed until the curl line."""
    command = [sys.executable, "-m", "vllm_gateway", "serve", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=CLEAN
    ) as process:
        try:
            printed = ""
            assert process.stdout is not None
            while "curl" not in printed:
                line = process.stdout.readline()
                assert line, process.stderr.read() if process.stderr else ""
                printed += line
            address = re.search(r"http://127\.0\.0\.1:\d+", printed)
            assert address is not None
            yield process, address.group(), printed
        finally:
            process.kill()


def run_to_its_end(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `vllm-gateway serve`, which is not to start."""
    return subprocess.run(
        [sys.executable, "-m", "vllm_gateway", "serve", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=folder,
        env=CLEAN,
    )


def test_without_upstream_the_embedded_engine_answers_and_says_so(tmp_path: Path) -> None:
    """One command, and the printed curl line works; nobody can take the engine for a model."""
    with serving(cwd=tmp_path) as (_, url, printed):
        assert "No upstream is configured" in printed
        curl = next(line for line in printed.splitlines() if "curl" in line)
        answer = subprocess.run(
            [*shlex.split(curl), "--silent", "--fail"], check=True, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert '"object":"chat.completion"' in answer.stdout
        health = httpx2.get(f"{url}/health", trust_env=False).json()
        assert (health["vllm"], health["engine"]) == ("unconfigured", "embedded")
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            model = client.models.list().data[0]
            assert model.owned_by == "vllm-gateway-sim"
            stream = client.chat.completions.create(
                model=model.id, messages=[{"role": "user", "content": "Hello"}], stream=True, max_tokens=8
            )
            finished = [chunk.choices[0].finish_reason for chunk in stream]
            assert finished[-1] in {"stop", "length"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_stops_with_success(how: signal.Signals, tmp_path: Path) -> None:
    """An orderly end is exit status 0, and nothing is waited for when nothing is under way."""
    with serving("--drain-s", "600", cwd=tmp_path) as (process, _, _):
        process.send_signal(how)
        assert process.wait(timeout=PATIENCE_S) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path) -> None:
    """No traceback: what is wrong, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run_to_its_end(tmp_path, "--port", port)
    assert result.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in result.stderr
    assert "--port" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_replica_that_is_down_does_not_keep_the_gateway_from_starting(tmp_path: Path) -> None:
    """It starts, says that nothing is usable, and is not ready."""
    with serving("--upstream", "http://127.0.0.1:1/v1", cwd=tmp_path) as (_, url, printed):
        assert "0 of 1 replicas usable" in printed
        assert httpx2.get(f"{url}/readyz", trust_env=False).status_code == 503
        assert httpx2.get(f"{url}/livez", trust_env=False).status_code == 200
        reply = httpx2.post(f"{url}/v1/chat/completions", json={"model": "x"}, trust_env=False)
        assert reply.status_code == 503


def test_bad_settings_are_all_told_and_nothing_starts(tmp_path: Path) -> None:
    """Every problem at once, one line each."""
    (tmp_path / "gateway.yaml").write_text("prot: 1\ndrain_s: soon\n")
    result = run_to_its_end(tmp_path)
    assert result.returncode == 1
    assert "port" in result.stderr
    assert "drain_s" in result.stderr
    assert "Traceback" not in result.stderr


ADMIN_KEY = "the-admin-key-of-the-tests"


def write_settings(folder: Path, text: str, mode: int = 0o600) -> None:
    """Write the settings file, with these rights."""
    path = folder / "gateway.yaml"
    path.write_text(text)
    path.chmod(mode)


def test_the_admin_listener_makes_and_revokes_keys(tmp_path: Path) -> None:
    """It is told where it is; a key made there works at once, and no longer than it is wanted; the end is orderly."""
    write_settings(
        tmp_path, f"auth: {{mode: keys, keys_file: keys.yaml, admin_key: {ADMIN_KEY}}}\nadmin: {{port: 0}}\n"
    )
    with serving(cwd=tmp_path) as (process, url, printed):
        found = re.search(r"Admin routes on (http://127\.0\.0\.1:\d+)/admin", printed)
        assert found is not None
        headers = {"x-api-key": ADMIN_KEY}
        with httpx2.Client(base_url=found[1], headers=headers, trust_env=False) as admin:
            made = admin.post("/admin/keys", json={"name": "a"}).json()
            with httpx2.Client(headers={"x-api-key": made["key"]}, trust_env=False) as caller:
                assert caller.get(f"{url}/v1/models").status_code == 200
                assert caller.get(f"{found[1]}/admin/keys").status_code == 401
                assert caller.get(f"{url}/admin/keys").status_code == 404
                assert admin.delete(f"/admin/keys/{made['id']}").status_code == 200
                assert caller.get(f"{url}/v1/models").status_code == 401
            assert [row["usable"] for row in admin.get("/admin/replicas").json()["data"]] == [True]
            assert admin.get("/admin/requests").json()["data"] == []
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=PATIENCE_S) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_the_admin_listener_is_there_until_the_last_answer_is(tmp_path: Path) -> None:
    """While the gateway drains, what still runs can be looked at."""
    write_settings(tmp_path, f"auth: {{admin_key: {ADMIN_KEY}}}\nadmin: {{port: 0}}\n")
    with serving(cwd=tmp_path) as (process, url, printed):
        found = re.search(r"Admin routes on (http://127\.0\.0\.1:\d+)/admin", printed)
        assert found is not None
        body = {"model": "sim-small", "prompt": "x", "stream": True, "max_tokens": 2000, "ignore_eos": True}
        with (
            httpx2.Client(base_url=url, trust_env=False) as caller,
            httpx2.Client(base_url=found[1], headers={"x-api-key": ADMIN_KEY}, trust_env=False) as admin,
        ):
            with caller.stream("POST", "/v1/completions", json=body) as reply:
                assert reply.status_code == 200
                process.send_signal(signal.SIGTERM)
                until = time.perf_counter() + PATIENCE_S
                while caller.get("/readyz").status_code == 200:
                    assert time.perf_counter() < until
                live = admin.get("/admin/requests").json()["data"]
                assert [(row["path"], row["status"]) for row in live] == [("/v1/completions", 200)]
            assert process.wait(timeout=PATIENCE_S) == 0


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (f"auth: {{admin_key: {ADMIN_KEY}}}\n", 0o644, "chmod 600 gateway.yaml"),
        ("auth: {admin_key: admin}\n", 0o600, "auth.admin_key"),
        ("auth: {mode: keys, client_keys: [short]}\n", 0o600, "auth.client_keys"),
        (f"auth: {{admin_key: {ADMIN_KEY}}}\nadmin: {{host: 0.0.0.0}}\n", 0o600, "admin.host"),
    ],
)
def test_what_would_leave_the_door_open_does_not_start(text: str, mode: int, told: str, tmp_path: Path) -> None:
    """S-15: weak keys, secrets that everybody may read, an admin listener for everybody: exit status 1, and why."""
    write_settings(tmp_path, text, mode)
    result = run_to_its_end(tmp_path, "--port", "0")
    assert result.returncode == 1
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_of_the_admin_listener_is_told(tmp_path: Path) -> None:
    """Which setting to change is said, too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_settings(tmp_path, f"auth: {{admin_key: {ADMIN_KEY}}}\nadmin: {{port: {port}}}\n")
        result = run_to_its_end(tmp_path, "--port", "0")
    assert result.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in result.stderr
    assert "admin.port" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_shut_door_without_keys_says_how_to_make_one(tmp_path: Path) -> None:
    """And the line to try has a place for the key."""
    write_settings(tmp_path, f"auth: {{mode: keys, keys_file: {tmp_path / 'keys.yaml'}}}\n")
    with serving(cwd=tmp_path) as (_, _, words):
        assert "No key exists yet. Make one: vllm-gateway keys create --name NAME" in words
        assert "-H 'Authorization: Bearer YOUR_KEY'" in words
    command = [sys.executable, "-m", "vllm_gateway", "keys", "create", "--name", "ann"]
    subprocess.run(command, check=True, cwd=tmp_path, env=CLEAN, capture_output=True)
    with serving(cwd=tmp_path) as (_, _, words):
        assert "No key exists yet" not in words
