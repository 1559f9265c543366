"""Several gateways on one Redis."""

import asyncio
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

AMOUNT = 200
SECONDS = 4.0
ROOT = Path(__file__).parents[3]


async def test_three_gateways_admit_what_one_would(empty_redis: str) -> None:
    """L-05: at one and a half times the rate the burst and then the rate are let in, give or take one in a hundred."""
    asked = [str(AMOUNT), str(AMOUNT / 2), str(SECONDS)]
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.admission.limits.worker", empty_redis, name, *asked, cwd=ROOT, stdout=-1
        )
        for name in ("a", "b", "c")
    ]
    said = [(await worker.communicate())[0].split() for worker in workers]
    allowed = sum(int(each[0]) for each in said)
    took_s = max(float(each[2]) for each in said) - min(float(each[1]) for each in said)
    offered = 3 * int(AMOUNT / 2 * SECONDS)
    expected = min(offered, AMOUNT + AMOUNT * took_s)
    assert abs(allowed - expected) <= max(2, expected / 100), (allowed, expected, offered)
