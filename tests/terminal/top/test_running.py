"""Runs `top`."""

import asyncio

import pytest

from tests.wire.operated import ADMIN_KEY, operated
from tests.wire.sims import fast
from vllm_gateway import codec
from vllm_gateway.terminal.api import Target
from vllm_gateway.terminal.top.running import run_live, run_once
from vllm_gateway.terminal.top.wishes import Wishes


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
    assert run_live(Target.at("http://127.0.0.1:9"), Wishes()) == 1
    assert "--once" in capsys.readouterr().err
