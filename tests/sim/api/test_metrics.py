"""The metrics page."""

import re

from tests.sim.quick import HELLO, LONG, Quick, quick
from tests.waiting import until


async def values(sim: Quick) -> dict[str, float]:
    """Return every sample by name, its own labels included where it has any."""
    page = (await sim.http.get("/metrics")).text
    found = {}
    for name, labels, value in re.findall(r"^vllm:(\w+)\{(.*)\} (\S+)$", page, flags=re.MULTILINE):
        own = re.sub(r',?(engine|model_name)="[^"]*"', "", labels).strip(",")
        found[f"{name}[{own}]" if own else name] = float(value)
    return found


async def test_counters_move_with_the_work() -> None:
    """Tokens, ends, cache and latencies are those of the requests that were made."""
    async with quick(itl_ms=1, ttft_ms=2) as sim:
        before = await values(sim)
        usage = (await sim.post("/v1/chat/completions", **HELLO, max_tokens=4))["usage"]
        await sim.post("/v1/chat/completions", **HELLO, max_tokens=4)
        after = await values(sim)
    assert before["generation_tokens_total"] == 0
    assert after["generation_tokens_total"] == 8
    assert after["prompt_tokens_total"] == 2 * usage["prompt_tokens"] == after["prefix_cache_queries_total"]
    assert after['request_success_total[finished_reason="length"]'] == 2
    assert after["time_to_first_token_seconds_count"] == 2
    assert after["time_to_first_token_seconds_sum"] >= 0.003
    assert after["inter_token_latency_seconds_count"] == 6
    assert after['e2e_request_latency_seconds_bucket[le="+Inf"]'] == 2


async def test_gauges_show_what_runs_and_waits() -> None:
    """Running, waiting and the share of the cache, up and down again."""
    async with quick(itl_ms=5, max_num_seqs=1) as sim:
        body = LONG | {"n": 3, "temperature": 1, "stream": True}
        async with sim.http.stream("POST", "/v1/chat/completions", json=body):
            await until(lambda: len(sim.sim.engine.scheduler.running) == 1)
            busy = await values(sim)
        await until(lambda: not sim.sim.engine.scheduler.running)
        idle = await values(sim)
    assert (busy["num_requests_running"], busy["num_requests_waiting"]) == (1, 2)
    assert busy["kv_cache_usage_perc"] > 0
    assert (idle["num_requests_running"], idle["num_requests_waiting"], idle["kv_cache_usage_perc"]) == (0, 0, 0)


async def test_a_wedged_engine_shows_itself_in_its_counters_only() -> None:
    """Something runs, and no token is made: the only way to tell."""
    async with quick(itl_ms=1) as sim:
        body = LONG | {"max_tokens": 4000, "stream": True}
        async with sim.http.stream("POST", "/v1/chat/completions", json=body):
            await until(lambda: sim.sim.engine.meters.generation_tokens > 3)
            sim.sim.faults.add(["wedge"])
            await until(lambda: bool(sim.sim.engine.scheduler._parked))
            one, two = await values(sim), await values(sim)
    assert one["num_requests_running"] == two["num_requests_running"] == 1
    assert one["generation_tokens_total"] == two["generation_tokens_total"] > 3
