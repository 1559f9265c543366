"""A gateway's limiter in a process of its own: asks for tokens steadily, and prints how many it got, and when."""

import asyncio
import sys
import time

from tests.admission.limits.wishes import tokens
from vllm_gateway.admission.limits.redis import RedisLimiter


async def ask(url: str, name: str, amount: int, per_s: float, seconds: float) -> None:
    """Ask for one token `per_s` times a second, however long the answers take.

    Says that it is there, and begins when it is sent a line. Prints how many it got, when the last answer had come, and
    when the last request was sent that was refused.
    """
    limiter = RedisLimiter(url, limit_s=30.0)
    await limiter.announce(name)
    sys.stdout.write("here\n")
    sys.stdout.flush()
    sys.stdin.readline()
    allowed = 0
    refused_at = 0.0
    first = time.perf_counter()

    async def once(number: int) -> None:
        nonlocal allowed, refused_at
        sent_at = time.perf_counter()
        if (await limiter.reserve(f"{name}-{number}", [tokens(amount)], 1)).is_admitted:
            allowed += 1
        else:
            refused_at = max(refused_at, sent_at)

    asked = []
    for number in range(int(per_s * seconds)):
        await asyncio.sleep(max(0.0, first + number / per_s - time.perf_counter()))
        asked.append(asyncio.get_running_loop().create_task(once(number)))
    await asyncio.gather(*asked)
    last = time.perf_counter()
    await limiter.close()
    sys.stdout.write(f"{allowed} {last} {refused_at}\n")


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
