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


def test_without_upstream_the_embedded_engine_answers_and_says_so(tmp_path: Path) -> None:
    """One command, and the printed curl line works; nobody can take the engine for a model."""
    with serving(cwd=tmp_path) as (_, url, printed):
        assert "No upstream is configured" in printed
        curl = next(line for line in printed.splitlines() if "curl" in line)
        answer = subprocess.run(
            [*shlex.split(curl), "--silent", "--fail"], check=True, capture_output=True, text=True, timeout=20
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
    """An orderly end is exit status 0, at once when nothing is under way."""
    with serving(cwd=tmp_path) as (process, _, _):
        began = time.perf_counter()
        process.send_signal(how)
        assert process.wait(timeout=10) == 0
        assert time.perf_counter() - began < 3
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path) -> None:
    """No traceback: what is wrong, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [sys.executable, "-m", "vllm_gateway", "serve", "--port", port],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
            cwd=tmp_path,
            env=CLEAN,
        )
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
    result = subprocess.run(
        [sys.executable, "-m", "vllm_gateway", "serve"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        env=CLEAN,
    )
    assert result.returncode == 1
    assert "port" in result.stderr
    assert "drain_s" in result.stderr
    assert "Traceback" not in result.stderr
