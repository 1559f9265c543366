"""Several gateways on one Redis."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from tests.admission.limits.wishes import tokens
from vllm_gateway.admission.limits.redis import RedisLimiter

pytestmark = pytest.mark.servers

PER_S = 200
AMOUNT = 60 * PER_S
SECONDS = 4.0
ROOT = Path(__file__).parents[3]


async def test_three_gateways_admit_what_one_would(empty_redis: str) -> None:
    """L-05: asked for one and a half times the rate they give the rate, to the token.

    The burst is taken away first. What has been given must then be no more than the rate gave until the last answer
    came, and no less than it had given when somebody was last refused, because nothing was left then.
    """
    asked = [str(AMOUNT), str(PER_S / 2), str(SECONDS)]
    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.admission.limits.worker", empty_redis, name, *asked),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for name in ("a", "b", "c")
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"here\n"
    limiter = RedisLimiter(empty_redis, limit_s=30.0)
    before = time.perf_counter()
    assert (await limiter.reserve("all there is", [tokens(AMOUNT)], AMOUNT)).is_admitted
    after = time.perf_counter()
    answers = await asyncio.gather(*(worker.communicate(b"\n") for worker in workers))
    said = [[float(each) for each in answer.split()] for answer, _ in answers]
    await limiter.close()
    allowed, last, refused = (
        sum(each[0] for each in said),
        max(each[1] for each in said),
        max(each[2] for each in said),
    )
    assert refused > after  # somebody was
    assert PER_S * (refused - after) - 1 <= allowed <= PER_S * (last - before) + 1, said
