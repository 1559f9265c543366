"""The machine's clock is set while the gateway serves: nothing that is measured in seconds takes it for time passed."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.wire.sims import fast, fleet
from tests.wire.streams import Streamed, ask
from vllm_gateway.clock import SystemClock
from vllm_gateway.outcomes import Outcome

HOUR_S = 3600.0
Jump = Callable[[float], None]


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Set the machine's clock forward or back, for the gateway and for every library in it."""
    real = time.time  # noqa: TID251 - what is to jump

    def set_by(seconds: float) -> None:
        def jumped() -> float:
            return real() + seconds

        monkeypatch.setattr(time, "time", jumped)
        monkeypatch.setattr(SystemClock, "wall", staticmethod(jumped))

    return set_by


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S])
async def test_limits_and_streams_do_not_notice(jump: Jump, by_s: float) -> None:
    """F-21: a limit that was reached stays reached, streams under way come whole, and no time-out is over early."""
    settings: dict[str, Any] = {
        "limits": {"requests_per_minute": 3},
        "timeouts": {"total_s": 20, "idle_s": 5, "first_token_s": 5},
    }
    async with fleet(fast(itl_ms=10), **settings) as (_, door):
        streams = [Streamed(door.http, f"Question {number}", tokens=40) for number in range(2)]
        assert (await ask(door.http)).status_code == 200
        jump(by_s)
        refused = [await ask(door.http) for _ in range(5)]
        for stream in streams:
            await stream.task
        assert all(stream.is_whole for stream in streams)
        assert [reply.status_code for reply in refused] == [429] * 5
        assert all(1 <= int(reply.headers["retry-after"]) <= 20 for reply in refused)
        assert door.parts.ledger.outcomes == {Outcome.OK: 3, Outcome.REFUSED_LIMIT: 5}


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S])
async def test_health_and_tokens_do_not_notice(jump: Jump, by_s: float) -> None:
    """F-21: nobody is ejected, and the tokens of the minute neither come back nor are lost."""
    async with fleet(fast(), probe={"every_s": 0.05}, limits={"tokens_per_minute": 10_000}) as (_, door):
        before = int((await ask(door.http)).headers["x-ratelimit-remaining-tokens"])
        jump(by_s)
        after = int((await ask(door.http)).headers["x-ratelimit-remaining-tokens"])
        assert before - 200 < after < before + 50
        assert [replica.is_usable for replica in door.parts.pool.replicas] == [True]
