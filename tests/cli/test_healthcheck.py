"""`vllm-gateway healthcheck`."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.gateway import gateway
from tests.scripted import Visit, scripted
from tests.wire.sims import fast, fleet
from vllm_gateway.cli.program import status


async def asked(*arguments: str) -> int:
    """Run the command beside the loop that the gateway runs on."""
    return await asyncio.to_thread(status, ["healthcheck", *arguments])


async def test_a_gateway_that_runs_is_alive_and_ready() -> None:
    """With a usable replica both questions are answered with yes."""
    async with fleet(fast()) as (_, door):
        url = str(door.http.base_url)
        assert (await asked("--url", url), await asked("--url", url, "--ready")) == (0, 0)


async def test_a_gateway_without_a_replica_is_alive_and_not_ready(capsys: pytest.CaptureFixture[str]) -> None:
    """Restarting it would not heal its replicas, so it is alive all the same."""
    async with gateway("http://127.0.0.1:1") as door:
        url = str(door.http.base_url)
        assert (await asked("--url", url), await asked("--url", url, "--ready")) == (0, 1)
    assert capsys.readouterr().err


async def test_one_that_says_nothing_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """A process that hangs is as bad as one that is gone."""

    async def silent(visit: Visit) -> None:
        await visit.request()
        await asyncio.Event().wait()

    async with scripted(silent) as server:
        assert await asked("--url", server.url, "--timeout-s", "0.2") == 1
    assert "not answer" in capsys.readouterr().err


def test_the_settings_say_where(run: Run, here: Path) -> None:
    """Without an address it is the gateway of these settings that is asked, and it is not there."""
    (here / "gateway.yaml").write_text("host: 0.0.0.0\nport: 1\n")
    code, _, told = run("healthcheck")
    assert code == 1
    assert "http://127.0.0.1:1" in told


def test_settings_that_are_wrong_are_told(run: Run, here: Path) -> None:
    """The container is not healthy then, and its log says why."""
    (here / "gateway.yaml").write_text("prot: 1\n")
    code, _, told = run("healthcheck")
    assert code == 1
    assert "did you mean port" in told
