"""What admission costs, and how exact limits are over three gateways.

    python -m benchmarks.admission cost        microseconds per request: rules, keys, limits in memory and in Redis
    python -m benchmarks.admission limits      three gateway processes on one Redis under 1.5 x their load

Both need redis-server. Nothing else should run beside them.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
from pydantic import SecretStr

from benchmarks.targets import free_port
from vllm_gateway import codec, sim
from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.limits.choose import open_limiter
from vllm_gateway.admission.limits.meters import Meters
from vllm_gateway.admission.rules.checking import Rules
from vllm_gateway.clock import SystemClock
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.settings.admission import Auth, Limits
from vllm_gateway.settings.model import Settings, State

CHAT = "/v1/chat/completions"
ROUNDS = 5000
GATEWAYS = 3
RATE_PER_MINUTE = 6000
MEASURED_S = 20.0
OVERLOAD = 1.5
CLEAN = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}  # noqa: TID251 - for processes


@contextmanager
def redis() -> Iterator[str]:
    """Run Redis on a free port; give its address."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise SystemExit("redis-server is not installed")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def gateway(folder: Path, settings: dict[str, object]) -> Iterator[str]:
    """Run a gateway with these settings; give its address."""
    port = free_port()
    path = folder / f"gateway-{port}.yaml"
    path.write_bytes(codec.dumps({"port": port, "log_level": "warning", "session": {"backend": "memory"}, **settings}))
    path.chmod(0o600)
    command = [sys.executable, "-m", "vllm_gateway", "serve", "--config", str(path)]
    process = subprocess.Popen(command, env=CLEAN, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            if httpx2.get(f"{url}/readyz", trust_env=False).status_code == httpx2.codes.OK:
                break
        except httpx2.TransportError:
            time.sleep(0.05)
    try:
        yield url
    finally:
        process.terminate()
        process.wait()


async def per_call_us(call: Callable[[int], Awaitable[object]]) -> float:
    """Return the microseconds that one call takes, as the median over groups of a hundred."""
    groups = []
    for group in range(ROUNDS // 100):
        began = time.perf_counter()
        for number in range(100):
            await call(group * 100 + number)
        groups.append((time.perf_counter() - began) * 10_000)
    return statistics.median(groups)


async def cost() -> None:
    """Print what each step of admission takes."""
    clock = SystemClock()
    messages = [{"role": "user", "content": "x" * 180} for _ in range(5)]
    body = codec.dumps({"model": "m", "messages": messages, "temperature": 0.5, "max_tokens": 64, "stream": True})
    asked = build_operations(max_json_depth=64)[CHAT].read(body)
    rules = Rules(Settings())
    keys = Keys(Auth(mode="keys", client_keys=tuple(SecretStr(f"key-{number:08}") for number in range(100))))
    headers = [(b"host", b"h"), (b"content-type", b"application/json"), (b"authorization", b"Bearer key-00000050")]

    async def check(_: int) -> None:
        rules.check(asked, body)

    async def admit(_: int) -> None:
        await keys.admit(headers, "127.0.0.1")

    print("| step | microseconds |\n|---|---:|")
    print(f"| rules, a chat of {len(body):,} bytes | {await per_call_us(check):.1f} |")
    print(f"| a key among 100 | {await per_call_us(admit):.1f} |")
    limits = Limits(requests_per_minute=10**9, tokens_per_minute=10**9, concurrent=10**6)
    with redis() as url:
        for backend in ("memory", "redis"):
            chosen = limits.model_copy(update={"backend": backend})
            limiter = open_limiter(chosen, State(redis_url=SecretStr(url)), clock)
            meters = Meters(chosen).of("key:a", None, "m")

            async def count(number: int, limiter=limiter, meters=meters) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - bound here
                await limiter.reserve(f"r{number}", meters, 100)
                await limiter.settle(f"r{number}", meters, 50, is_charged=True)

            print(f"| three limits in {backend}, reserved and settled | {await per_call_us(count):.1f} |")
            await limiter.close()


async def limits() -> None:
    """Print what three gateways let through of what is offered to them."""
    engine = await sim.start(sim.SimSettings(ttft_ms=0, ttft_ms_per_1k=0, itl_ms=0))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings: dict[str, object] = {
            "upstreams": [{"url": engine.url}],
            "limits": {"requests_per_minute": RATE_PER_MINUTE, "backend": "redis"},
            "state": {"redis_url": stack.enter_context(redis())},
        }
        doors = [stack.enter_context(gateway(folder, settings)) for _ in range(GATEWAYS)]
        rate = RATE_PER_MINUTE / 60 * OVERLOAD
        body = {"model": "sim-small", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
        many = httpx2.Limits(max_connections=None)
        statuses: dict[int, int] = defaultdict(int)
        async with httpx2.AsyncClient(limits=many, trust_env=False, timeout=30) as http:
            began = time.perf_counter()

            async def ask(number: int) -> None:
                await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
                statuses[(await http.post(doors[number % GATEWAYS] + CHAT, json=body)).status_code] += 1

            # the whole burst is taken first: what is measured is the rate behind it
            first = await asyncio.gather(*(http.post(doors[0] + CHAT, json=body) for _ in range(100)))
            spent = sum(reply.status_code == httpx2.codes.OK for reply in first)
            while int((await http.post(doors[0] + CHAT, json=body)).status_code) == httpx2.codes.OK:
                spent += 1
            began = time.perf_counter()
            await asyncio.gather(*map(ask, range(int(rate * MEASURED_S))))
            took_s = time.perf_counter() - began
    await engine.close()
    allowed = RATE_PER_MINUTE / 60 * took_s
    print(f"burst of {spent:,}, then {sum(statuses.values()):,} requests in {took_s:.1f} s: {dict(statuses)}")
    print(f"allowed {allowed:,.0f}, let through {statuses[200]:,}: {100 * (statuses[200] / allowed - 1):+.2f} %")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What admission costs and does.")
    parser.add_argument("what", choices=["cost", "limits"])
    asyncio.run({"cost": cost, "limits": limits}[parser.parse_args().what]())
