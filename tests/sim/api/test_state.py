"""How the sim is."""

import asyncio

from tests.sim.quick import HELLO, LONG, quick
from tests.waiting import until


async def test_load_counts_requests_not_choices() -> None:
    """Two choices of one request are one."""
    async with quick(itl_ms=5) as sim:
        assert (await sim.http.get("/load")).json() == {"server_load": 0}
        body = LONG | {"n": 2, "temperature": 1, "stream": True}
        async with sim.http.stream("POST", "/v1/chat/completions", json=body):
            await until(lambda: len(sim.sim.engine.scheduler.running) == 2)
            assert (await sim.http.get("/load")).json() == {"server_load": 1}


async def test_scaling_out_is_refused_as_by_a_vllm_that_was_not_started_for_it() -> None:
    """403, with the flag's name."""
    async with quick() as sim:
        status, error = await sim.refused("/inference/v1/generate")
    assert (status, error["error"]["type"]) == (403, "PermissionDeniedError")


async def test_health_is_good_while_nothing_works() -> None:
    """Which is why it is no proof of work."""
    async with quick(faults=("wedge",)) as sim:
        assert (await sim.http.get("/health")).status_code == 200
        assert (await sim.http.get("/ping")).content == b""


async def test_sleep_and_waking() -> None:
    """A sleeping sim says so, aborts what ran, and lets what comes wait until it is woken."""
    async with quick(dev_mode=True, itl_ms=5) as sim:
        running = asyncio.get_running_loop().create_task(sim.post("/v1/chat/completions", **LONG))
        await until(lambda: len(sim.sim.engine.scheduler.running) == 1)
        assert (await sim.http.post("/sleep?level=2")).json() == {"status": "sleeping", "level": 2}
        assert (await running)["choices"][0]["finish_reason"] == "abort"
        assert (await sim.http.get("/is_sleeping")).json() == {"is_sleeping": True}
        waiting = asyncio.get_running_loop().create_task(sim.post("/v1/chat/completions", **HELLO, max_tokens=2))
        await until(lambda: len(sim.sim.engine.scheduler.waiting) == 1)
        assert (await sim.http.post("/wake_up")).json()["status"] == "awake"
        assert (await waiting)["usage"]["completion_tokens"] == 2


async def test_the_prefix_cache_can_be_forgotten() -> None:
    """After that, a prompt is new again."""
    async with quick(dev_mode=True) as sim:
        body = {"prompt": "the river " * 40, "max_tokens": 1}
        for expected in (0, 64):
            usage = (await sim.post("/v1/completions", **body))["usage"]
            assert (usage["prompt_tokens_details"]["cached_tokens"] >= 64) == bool(expected)
        await sim.http.post("/reset_prefix_cache")
        assert (await sim.post("/v1/completions", **body))["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
