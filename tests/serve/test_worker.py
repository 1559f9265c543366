"""What one of several processes does; how it serves is seen in `tests/wire/test_workers.py`."""

import asyncio
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.gateway import settings_of
from tests.waiting import until
from vllm_gateway.serve.fork import END_OF_WORDS, RELOAD, STOP
from vllm_gateway.serve.listening import listen
from vllm_gateway.serve.worker import Post, obeying, run_engine, work


async def test_what_the_channel_says_is_done() -> None:
    """Each order once, also when several come together; the end of the channel is an order to stop."""
    done: list[str] = []
    ours, theirs = socket.socketpair()
    with theirs, obeying(theirs, stop=lambda: done.append("stop"), reload=lambda: done.append("reload")):
        ours.sendall(RELOAD + STOP)
        await until(lambda: done == ["reload", "stop"], within_s=20)
        ours.close()
        await until(lambda: done == ["reload", "stop", "stop"])
        await asyncio.sleep(0.05)
        assert len(done) == 3


def test_an_engine_says_where_it_is_and_comes_back_there() -> None:
    """It answers until it is told to stop."""
    port, threads = 0, ThreadPoolExecutor(1)
    for _ in range(2):
        ours, theirs = socket.socketpair()
        running = threads.submit(run_engine, port, theirs)
        url = ours.recv(1024).removesuffix(END_OF_WORDS).decode()
        assert httpx2.get(f"{url}/v1/models", trust_env=False).status_code == 200
        assert port in {0, int(url.rpartition(":")[2])}
        port = int(url.rpartition(":")[2])
        ours.sendall(STOP)
        assert running.result(10) == 0
        ours.close()
        theirs.close()
    threads.shutdown()


def test_what_cannot_be_put_together_is_one_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The worker says why, and its status is 1."""
    caplog.set_level(logging.ERROR)
    settings = settings_of(rules={"deny_patterns": ["("]})
    ours, theirs = socket.socketpair()
    with ours, theirs, listen("127.0.0.1", 0, cure="") as listener:
        post = Post(0, 2, settings, None, listener, None, tmp_path, None, is_first=True)
        assert work(post, theirs) == 1
    assert "deny_patterns" in caplog.text
