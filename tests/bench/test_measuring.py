"""The order of a run, on simulators."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bench.making import planned
from vllm_gateway import codec
from vllm_gateway.bench.load.arrivals import Closed
from vllm_gateway.bench.load.playing import Load
from vllm_gateway.bench.measuring import measure, parts
from vllm_gateway.sim import RunningSim, SimSettings, start

CHAT = "/v1/chat/completions"


@asynccontextmanager
async def sim(**settings: Any) -> AsyncIterator[RunningSim]:  # noqa: ANN401 - any setting
    """Run a simulator that takes no time unless `settings` say so."""
    running = await start(SimSettings(**({"ttft_ms": 0, "ttft_ms_per_1k": 0, "itl_ms": 1} | settings)))
    try:
        yield running
    finally:
        await running.close()


def asked(running: RunningSim) -> list[bytes]:
    """Return the streams that a simulator was asked for."""
    return [each.body for each in running.log.requests if b'"stream":true' in each.body]


async def test_a_load_is_warmed_up_and_measured() -> None:
    """What comes before does not count, and nothing is asked twice."""
    async with sim() as running:
        load = {"requests": 6, "warmup": 3, "concurrency": 2}
        found = await measure(planned(server={"url": running.url, "model": ()}, load=load))
        assert len(asked(running)) == len(set(asked(running))) == 9
    assert (found.through.summary.completed, found.through.summary.failed) == (6, 0)
    assert (found.prepared.models, found.direct, found.is_passed) == (("sim-small",), None, True)
    assert list(found.through.by_model) == ["sim-small"]


async def test_two_targets_take_turns() -> None:
    """In rounds, the first one changing; both get as much, and what one adds is found."""
    async with sim() as quick, sim() as slow:
        slow.faults.add(["slow=0.05"])
        plan = planned(
            server={"url": slow.url, "direct": quick.url, "model": ("sim-small",)},
            load={"requests": 8, "rounds": 4, "warmup": 1},
        )
        found = await measure(plan)
        assert len(asked(quick)) == len(asked(slow)) == 9
        order = sorted([(each.head_at, "direct") for each in quick.log.requests if each.target == CHAT][-8:])
        order += [(each.head_at, "through") for each in slow.log.requests if each.target == CHAT][-8:]
        turns = [name for _, name in sorted(order)]
    assert turns == ["direct", "direct", *["through"] * 4, *["direct"] * 4, *["through"] * 4, "direct", "direct"]
    assert found.direct is not None
    assert found.direct.summary.completed == found.through.summary.completed == 8
    assert found.added["ttft"]["p50"].value > 0
    assert found.added["ttft"]["p50"].low <= found.added["ttft"]["p50"].value


async def test_a_sweep_ends_at_the_knee() -> None:
    """The figures are those of the best rate that was kept."""
    async with sim(max_num_seqs=1, ttft_ms=40, itl_ms=0) as running:
        plan = planned(
            server={"url": running.url, "model": ("sim-small",)},
            load={"sweep": "20,2000", "requests": 30, "arrivals": "constant"},
            prompts={"synthetic": "8,2"},
            verdict={"goodput": ("ttft:400",)},
        )
        found = await measure(plan)
    steps = {step.rate_per_s: step.is_kept for step in found.steps}
    assert list(steps) == [20, 2000]
    assert not steps[2000]  # thirty at once, one after the other, 40 ms each
    assert found.through.summary in [step.summary for step in found.steps]
    assert all(step.summary.completed == 30 for step in found.steps)


async def test_what_one_should_know_is_noted(tmp_path: Path) -> None:
    """A server that tells no usage, and an earlier run of another load."""
    path = tmp_path / "old.json"
    path.write_bytes(codec.dumps({"completed": 1, "gateway": {"load": {"model": "other", "turns": 1}}}))
    async with sim() as running:
        plan = planned(
            server={"url": running.url, "model": ("sim-small",), "body": '{"stream_options": null}'},
            load={"requests": 2},
            verdict={"vs": path},
        )
        found = await measure(plan)
    notes = [note for note in found.notes if "late" not in note and "core" not in note]
    assert len(notes) == 2
    assert "told no usage in 2 of 2 answers" in notes[0]
    assert notes[1] == "The earlier run differs in model: the changes are not the server's alone."


def test_a_load_is_parted_evenly() -> None:
    """Each part has a schedule of its own; there are no empty parts."""
    load = Load(Closed(2), requests=7, seed=5)
    assert [(each.requests, each.seed) for each in parts(load, 3)] == [(3, 5), (2, 6), (2, 7)]
    assert [each.requests for each in parts(load, 50)] == [1] * 7
    timed = parts(Load(Closed(2), duration_s=6.0), 4)
    assert [each.duration_s for each in timed] == pytest.approx([1.5] * 4)
