"""A replica's own metrics."""

import httpx2
import pytest

from tests.wire.sims import fast
from vllm_gateway.sim import start
from vllm_gateway.upstream.gauges import Gauges, read_gauges

PAGE = b"""\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 9.0
"""


@pytest.mark.parametrize(
    ("page", "gauges"),
    [
        (PAGE, Gauges(7, 1)),
        (b"vllm:num_requests_waiting 2\n", Gauges(0, 2)),
        (b'vllm:num_requests_waiting{a="b"} lots\n', None),
        (b"vllm:num_requests_running 2\n", None),
        (b"", None),
    ],
)
def test_requests_are_added_up_over_engines(page: bytes, gauges: Gauges | None) -> None:
    """Series of other names, and lines that are none, count for nothing."""
    assert read_gauges(page) == gauges


async def test_the_sim_says_what_vllm_says() -> None:
    """An idle replica has nobody running and nobody waiting."""
    sim = await start(fast())
    async with httpx2.AsyncClient(trust_env=False) as http:
        page = (await http.get(f"{sim.url}/metrics")).content
    await sim.close()
    assert read_gauges(page) == Gauges(0, 0)
