"""The process that watches over the others; all of it together is in `tests/wire/test_workers.py`."""

import asyncio
import signal
import sys
from pathlib import Path

import httpx2
import pytest

from tests.waiting import until
from tests.wire.several import PATIENCE_S, several
from tests.wire.sims import fast
from tests.wire.test_earlier_deployments import replica
from vllm_gateway.serve.workers import load_ahead
from vllm_gateway.settings import Settings

pytestmark = pytest.mark.timeout(300)


async def test_a_worker_that_dies_again_and_again_is_waited_for_longer_and_longer(tmp_path: Path) -> None:
    """The pauses double, so that a worker that cannot live does not keep the machine busy; the other one serves."""
    async with replica() as sim, several(tmp_path, sim.url) as door:
        for _ in range(3):
            await door.killed(door.workers[-1])
        told = door.log.read_text()
        assert [f"another one follows in {pause} s" in told for pause in ("0.05", "0.1", "0.2")] == [True] * 3
        assert set(await door.statuses(10)) == {200}
        assert await door.stopped() == 0


async def test_told_twice_it_waits_for_nothing(tmp_path: Path) -> None:
    """A stream that would take minutes does not hold up somebody who insists."""
    async with replica(fast(itl_ms=1000)) as sim, several(tmp_path, sim.url) as door:
        body = {"model": "sim-small", "prompt": "a", "max_tokens": 200, "stream": True, "ignore_eos": True}
        asking = asyncio.ensure_future(door.http.post("/v1/completions", json=body))  # noqa: TID251 - a test's own
        await until(lambda: any(seen.target == "/v1/completions" for seen in sim.log.requests), within_s=PATIENCE_S)
        door.process.send_signal(signal.SIGTERM)
        await until(lambda: "finishing 1 requests" in door.log.read_text(), within_s=PATIENCE_S)
        assert await door.stopped() == 0
        with pytest.raises(httpx2.RemoteProtocolError):  # behind the error event there is no end
            await asking


async def test_told_to_stop_while_it_starts_it_stops(tmp_path: Path) -> None:
    """Whoever stops it before the first words gets no banner and no error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "vllm_gateway", "serve", "--port", "0", "--workers", "8"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={"XDG_STATE_HOME": str(tmp_path)},
    )
    assert process.stderr is not None
    await process.stderr.readuntil(b"replica default-1 is in")
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE_S):
        assert await process.stdout.read() == b"" if process.stdout else False
        assert await process.wait() == 0


def test_what_workers_need_is_loaded_before_they_are_forked() -> None:
    """So that one that takes another's place is there at once; what is not installed is told later."""
    load_ahead(Settings())
    assert "vllm_gateway.sessions.stores.sql" in sys.modules
    load_ahead(Settings.model_validate({"limits": {"backend": "redis"}, "session": {"backend": "memory"}}))
    assert "vllm_gateway.admission.limits.redis" in sys.modules
