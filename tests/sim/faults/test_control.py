"""The one handle on all faults."""

import pytest

from tests.sim.quick import HELLO, quick
from vllm_gateway.sim.faults.grammar import FaultInvalid


async def test_a_list_with_one_mistake_adds_nothing() -> None:
    """Either all of it goes wrong or none."""
    async with quick() as sim:
        with pytest.raises(FaultInvalid):
            sim.sim.faults.add(["reset", "wedge", "oops"])
        assert sim.sim.faults.listed() == []
        await sim.post("/v1/chat/completions", **HELLO)


async def test_faults_of_the_plan_and_of_the_name_add_up() -> None:
    """A request can meet both: slow by flag, and an abort by its model's name."""
    async with quick(faults=("slow=0.05",)) as sim:
        answer = await sim.post("/v1/chat/completions", **HELLO, model="sim-small!abort@2")
        seen = sim.sim.log.requests[0]
    assert answer["choices"][0]["finish_reason"] == "abort"
    assert (seen.first_token_at or 0) - seen.head_at >= 0.049


async def test_a_trap_chooses_by_what_is_asked() -> None:
    """What it says of a body goes wrong with that request, beside what is planned; probes are not shown to it."""
    shown: list[bytes] = []

    def trap(body: bytes) -> list[str]:
        shown.append(body)
        return ["status=418"] if b"tea" in body else []

    async with quick() as sim:
        sim.sim.faults.trap = trap
        tea = {"messages": [{"role": "user", "content": "tea"}], "max_tokens": 1}
        assert (await sim.http.post("/v1/chat/completions", json=tea)).status_code == 418
        await sim.post("/v1/chat/completions", **HELLO)
        await sim.http.get("/health")
    assert len(shown) == 2
