"""One process that serves; its server is seen in `test_running.py`."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.edge.house.replicas import serving
from tests.gateway import settings_of
from tests.scripted import scripted
from vllm_gateway import codec
from vllm_gateway.serve.assembly import build
from vllm_gateway.serve.listening import listen
from vllm_gateway.serve.process import first_words, loop_factory, say, server_config
from vllm_gateway.settings import Settings


async def test_the_first_words_tell_what_is_there_and_a_line_that_works(tmp_path: Path) -> None:
    """Where the gateway and its admin routes are, how many replicas are usable, and a model that can be asked for."""
    async with scripted(serving("m")) as one:
        settings = settings_of(one.url, auth={"mode": "keys", "keys_file": str(tmp_path / "keys")})
        with listen("127.0.0.1", 0, cure="") as listener, listen("127.0.0.1", 0, cure="") as beside:
            async with build(settings) as parts:
                words = first_words(settings, parts, listener, beside)
        assert words.startswith("vllm-gateway on http://127.0.0.1:")
        assert "Admin routes on http://127.0.0.1:" in words
        assert "1 of 1 replicas usable; models: m." in words
        assert '"model": "m"' in words
        assert "keys create" in words
        assert "Everybody" not in words


@pytest.mark.parametrize(("host", "mode", "says"), [("0.0.0.0", "none", True), ("0.0.0.0", "keys", False)])
async def test_a_gateway_that_is_open_to_all_says_so(host: str, mode: str, says: bool, tmp_path: Path) -> None:
    """Where others reach it and it asks nobody for a key."""
    async with scripted(serving("m")) as one:
        settings = settings_of(one.url, host=host, auth={"mode": mode, "keys_file": str(tmp_path / "keys")})
        with listen("127.0.0.1", 0, cure="") as listener:
            async with build(settings) as parts:
                words = first_words(settings, parts, listener, None)
        assert ("Everybody who reaches it may use it" in words) is says


async def test_what_a_replica_calls_its_model_runs_nothing_in_the_line_to_try() -> None:
    """People paste it into a shell."""
    name = "it's `x` $(y)"
    async with scripted(serving(r"\u001b]0;evil\u0007", name)) as one:
        settings = settings_of(one.url)
        with listen("127.0.0.1", 0, cure="") as listener:
            async with build(settings) as parts:
                words = first_words(settings, parts, listener, None)
    assert "\x1b" not in words
    line = next(line for line in words.splitlines() if line.startswith("  curl "))
    assert codec.loads(shlex.split(line)[-1])["model"] == name


def test_words_are_printed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever waits for them reads them through a pipe."""
    say("hello\n")
    assert capsys.readouterr().out == "hello\n"


async def test_the_server_says_nothing_of_itself() -> None:
    """It names itself in no header, takes no address from one, and logs no request."""

    async def door(*_: object) -> None:
        """Answer nothing."""

    config = server_config(Settings(), door)
    assert (config.server_header, config.proxy_headers, config.access_log) == (False, False, False)


def test_the_loop_is_the_fast_one() -> None:
    """Python's own is for where there is no other."""
    assert (loop_factory() is None) is (sys.platform == "win32")
