"""A gateway's limiter in a process of its own: asks steadily, and prints how many were let in, and when."""

import asyncio
import sys
import time

from tests.admission.limits.wishes import per_second
from vllm_gateway.admission.limits.redis import RedisLimiter

GATEWAYS = 3
"""All begin when the last of them is there."""


async def ask(url: str, name: str, amount: int, per_s: float, seconds: float) -> None:
    """Ask `per_s` times a second, however long the answers take."""
    limiter = RedisLimiter(url, limit_s=5.0)
    while await limiter.announce(name) < GATEWAYS:  # noqa: ASYNC110 - there is no event for that
        await asyncio.sleep(0.005)
    allowed = 0
    first = last = time.perf_counter()

    async def once(number: int) -> None:
        nonlocal allowed, last
        allowed += (await limiter.reserve(f"{name}-{number}", [per_second(amount)])).is_admitted
        last = time.perf_counter()

    asked = []
    for number in range(int(per_s * seconds)):
        await asyncio.sleep(max(0.0, first + number / per_s - time.perf_counter()))
        asked.append(asyncio.get_running_loop().create_task(once(number)))
    await asyncio.gather(*asked)
    await limiter.close()
    sys.stdout.write(f"{allowed} {first} {last}\n")


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
