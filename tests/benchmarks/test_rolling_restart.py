"""Gateways that are restarted one after the other under load."""

from pathlib import Path

import pytest

from benchmarks.rolling_restart import DELAY_S, Count, gateways, load, roll
from tests.waiting import until


@pytest.mark.timeout(300)
async def test_nothing_fails_while_every_gateway_is_restarted(tmp_path: Path) -> None:
    """F-16: answers in one piece, streams short and long, clients that pool; a balancer that honours readiness."""
    count = Count()
    settings = {"GATEWAY_DRAIN_DELAY_S": str(DELAY_S), "GATEWAY_DRAIN_S": "120"}
    async with gateways(tmp_path, settings=settings, itl_ms=5) as (behind, balancer, _):
        async with load(balancer.url, count, callers=2, long_tokens=300, pause_s=0.1):
            assert await roll(behind, balancer) == [0, 0, 0]
            await until(lambda: len(count.answered) == 5, within_s=60)
        assert min(balancer.sent.values()) > 0
        assert balancer.refused == 0
    assert count.failed == {}
    assert count.answered["long stream"] > 0


def test_what_became_of_requests_adds_up() -> None:
    """Answered or failed."""
    count = Count()
    count.answered["one piece"] += 2
    count.failed["stream: gone"] += 1
    assert count.total == 3
