"""A replica's own metrics."""

import httpx2
import pytest

from tests.wire.sims import fast
from vllm_gateway.sim import start
from vllm_gateway.upstream.gauges import Engine, Gauges, read_gauges

PAGE = b"""\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 9.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:prompt_tokens_total{engine="0",model_name="m"} 100.0
vllm:prompt_tokens_created{engine="0",model_name="m"} 1.7e+09
vllm:prompt_tokens_cached_total{engine="0",model_name="m"} 7.0
vllm:generation_tokens_total{engine="0",model_name="m"} 1.5e+03
vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e+09
vllm:generation_tokens_total{engine="1",model_name="m"} 9.0
vllm:request_generation_tokens_sum{engine="1",model_name="m"} 4.0
"""


@pytest.mark.parametrize(
    ("page", "gauges"),
    [
        (PAGE, Gauges(7, 1)),
        (b"vllm:num_requests_waiting 2\n", Gauges(0, 2)),
        (b"vllm:num_requests_running 2 1700000000000\n", Gauges(2, 0)),
        (b'vllm:num_requests_waiting{model_name="a}b\\"c"} 2\n', Gauges(0, 2)),
        (b'vllm:num_requests_waiting{a="b"} lots\n', None),
        (b"vllm:num_requests_waiting NaN\n", None),
        (b"vllm:num_requests_running +Inf\n", None),
        (b"vllm:generation_tokens_total 2\n", None),
        (b"", None),
    ],
)
def test_requests_are_added_up_over_engines(page: bytes, gauges: Gauges | None) -> None:
    """Series of other names, and lines that are none, count for nothing."""
    assert read_gauges(page) == gauges


def test_each_engine_is_told_by_itself() -> None:
    """Tokens read and tokens made are added up; when the series began, and what it has cached, is something else."""
    gauges = read_gauges(PAGE)
    assert gauges is not None
    assert gauges.engines == {
        b"0": Engine(3, 1, 1600.0, 0.25, read_tokens=100, made_tokens=1500),
        b"1": Engine(4, 0, 9.0, made_tokens=9),
    }


@pytest.mark.parametrize(
    ("page", "engine"),
    [
        (b"vllm:generation_tokens 5\n", Engine(1, tokens=5, made_tokens=5)),
        (b'vllm:generation_tokens_total{engine_type="x",model_name="m"} 5\n', Engine(1, tokens=5, made_tokens=5)),
        (b"vllm:gpu_cache_usage_perc 0.5\n", Engine(1, kv_cache_usage=0.5)),
        (b"vllm:prompt_tokens_total 5\n", Engine(1, read_tokens=5)),
        (
            b"vllm:prefix_cache_queries_total 8\nvllm:prefix_cache_hits_total 6\n",
            Engine(1, sought_tokens=8, found_tokens=6),
        ),
        (b"vllm:prefix_cache_queries 8\nvllm:prefix_cache_queries_created 9\n", Engine(1, sought_tokens=8)),
    ],
)
def test_names_of_other_versions_are_known(page: bytes, engine: Engine) -> None:
    """Versions without an engine's number have one engine; one that does not tell what it makes tells nothing."""
    gauges = read_gauges(b"vllm:num_requests_running 1\n" + page)
    assert gauges is not None
    assert gauges.engines == {b"": engine}


async def test_the_sim_says_what_vllm_says() -> None:
    """An idle replica has nobody running and nobody waiting, and has made nothing."""
    sim = await start(fast())
    async with httpx2.AsyncClient(trust_env=False) as http:
        page = (await http.get(f"{sim.url}/metrics")).content
    await sim.close()
    gauges = read_gauges(page)
    assert gauges == Gauges(0, 0)
    assert gauges.engines == {b"0": Engine(0, 0, 0.0, 0.0)}
