"""Runs `top`."""

import asyncio
from pathlib import Path

import pytest

from tests.terminal.terminals import terminal
from tests.wire.operated import ADMIN_KEY, operated
from tests.wire.sims import fast
from vllm_gateway import codec
from vllm_gateway.terminal.api import Target
from vllm_gateway.terminal.top.running import run_live, run_once
from vllm_gateway.terminal.top.wishes import Wishes

KEY = {"GATEWAY_AUTH__ADMIN_KEY": ADMIN_KEY}


@pytest.mark.parametrize("json", [True, False])
async def test_one_picture_is_printed(capsys: pytest.CaptureFixture[str], *, json: bool) -> None:
    """For programs, or for people; the exit status says that there is one."""
    async with operated(fast()) as one:
        target = Target.at(str(one.admin.base_url), ADMIN_KEY)
        assert await asyncio.to_thread(run_once, target, json=json, width=90) == 0
    printed = capsys.readouterr().out
    if json:
        assert codec.loads(printed)["replicas"][0]["name"] == "default-1"
    else:
        assert "│ default-1 " in printed


async def test_no_picture_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Told on stderr; what reads stdout gets nothing."""
    async with operated(fast()) as one:
        assert await asyncio.to_thread(run_once, Target.at(str(one.admin.base_url)), json=True, width=90) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "wants the admin key" in told.err


def test_without_a_terminal_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe gets no screen."""
    assert run_live(lambda: Target.at("http://127.0.0.1:9"), Wishes()) == 1
    assert "--once" in capsys.readouterr().err


async def test_the_first_frame_is_followed_by_the_fleet(tmp_path: Path) -> None:
    """In a terminal of its own, which is as it was when the user has left."""
    async with operated(fast()) as one:
        url = str(one.admin.base_url)
        async with terminal(tmp_path, "top", "--url", url, environment=KEY) as shown:
            await shown.until_shown("┐replicas┌")
            await shown.until_shown("default-1")
            shown.resize((120, 40))
            await shown.until(lambda: shown.lines()[1].endswith("╮") and shown.lines()[39].startswith(" q quit"))
            shown.type("q")
            assert await shown.until_left() == 0
            assert shown.seen.rindex(b"\x1b[?1049l") > shown.seen.rindex(b"\x1b[?1049h")


async def test_a_terminal_that_knows_no_utf_8_gets_plain_characters(tmp_path: Path) -> None:
    """Boxes above the rest, too."""
    async with operated(fast()) as one:
        url = str(one.admin.base_url)
        async with terminal(tmp_path, "top", "--url", url, environment={**KEY, "LANG": "C"}) as shown:
            await shown.until_shown("default-1")
            shown.type("t")
            await shown.until_shown("enter takes it")
            assert all(byte < 128 for byte in shown.seen)


async def test_what_is_wrong_is_told_when_the_screen_is_left(tmp_path: Path) -> None:
    """A theme that is not there; the first frame was on the screen already."""
    command = ("top", "--url", "http://127.0.0.1:9", "--admin-key", ADMIN_KEY, "--theme", "nowhere")
    async with terminal(tmp_path, *command) as shown:
        assert await shown.until_left() == 1
        await shown.until_shown("There is no theme 'nowhere'")
