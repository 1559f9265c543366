"""What is measured when callers leave."""

from tests.chaos.scenes import unguarded
from vllm_gateway.chaos.leaving import measure_leaving


async def test_each_leaving_is_measured() -> None:
    """A replica notices at once that its caller has left, and the time is told for every one."""
    async with unguarded() as bare:
        leaving = await measure_leaving(bare, callers=4)
    assert (leaving.callers, len(leaving.closed_s)) == (4, 4)
    assert list(leaving.closed_s) == sorted(leaving.closed_s)
    assert 0 <= leaving.closed_s[-1] < 1
