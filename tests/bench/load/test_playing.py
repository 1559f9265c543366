"""The load on a simulator, compared with what the simulator saw itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.waiting import until
from vllm_gateway.bench.figures.summary import summarize
from vllm_gateway.bench.load.arrivals import Closed, Open, Pattern
from vllm_gateway.bench.load.asking import Asking, Endpoint
from vllm_gateway.bench.load.caller import Aim
from vllm_gateway.bench.load.playing import Load, play
from vllm_gateway.bench.load.record import Record
from vllm_gateway.bench.load.target import Target
from vllm_gateway.bench.prompts.synthetic import Shape, Synthetic
from vllm_gateway.sim import RunningSim, SimSettings, start
from vllm_gateway.sim.journal import RequestSeen

SOURCE = Synthetic(Shape(12, 8), seed=1)


@asynccontextmanager
async def sim(**settings: Any) -> AsyncIterator[tuple[RunningSim, Aim]]:  # noqa: ANN401 - any setting
    """Run a simulator, and say how it is asked."""
    running = await start(SimSettings(**({"ttft_ms": 1, "ttft_ms_per_1k": 0, "itl_ms": 1} | settings)))
    try:
        yield running, Aim(Target.at(running.url), Asking(ignores_eos=True), ("sim-small",))
    finally:
        await running.close()


def pairs(running: RunningSim, records: list[Record]) -> list[tuple[Record, RequestSeen]]:
    """Return each record with what the simulator saw of the same request."""
    seen = {each.body: each for each in running.log.requests}
    bodies = {record.conversation: SOURCE.draw(record.conversation).turns[0].encode() for record in records}
    return [(record, next(seen[body] for body in seen if bodies[record.conversation] in body)) for record in records]


async def test_a_closed_loop_asks_as_many_at_once_as_wanted() -> None:
    """And so many requests in all; each is answered, and measured with the server's own count of tokens."""
    async with sim() as (running, aim):
        run = await play(Load(Closed(4), requests=21), aim, SOURCE)
        assert len(run.records) == running.log.requests_total == 21
        assert running.log.most_in_flight == running.log.connections_total == run.cost.connections == 4
    assert {(each.error, each.output_tokens, len(each.gaps_s)) for each in run.records} == {(None, 8, 7)}
    assert {each.conversation for each in run.records} == set(range(21))
    assert run.cost.events == sum(each.events for each in run.records)


async def test_a_closed_loop_can_end_with_time() -> None:
    """No request begins after it, and those under way are answered."""
    async with sim(ttft_ms=20) as (_, aim):
        run = await play(Load(Closed(2), duration_s=0.3), aim, SOURCE, first=100)
    assert run.records
    assert all(each.planned_at < run.began_at + 0.3 and each.is_good for each in run.records)
    assert run.duration_s >= 0.3
    assert min(each.conversation for each in run.records) == 100


async def test_times_hold_what_the_server_took() -> None:
    """A planted delay lies inside the measured time, and so does every planted gap; the order of events says so."""
    async with sim(itl_ms=5) as (running, aim):
        running.faults.add(["slow=0.05"])
        run = await play(Load(Closed(2), requests=10), aim, SOURCE)
        both = pairs(running, run.records)
    for record, seen in both:
        assert record.sent_at is not None
        assert record.first_output_at is not None
        assert record.last_output_at is not None
        assert seen.first_token_at is not None
        assert seen.last_token_at is not None
        assert record.sent_at <= seen.head_at < seen.first_token_at <= record.first_output_at
        assert seen.last_token_at <= record.last_output_at
        assert record.ttft_s is not None
        assert record.ttft_s >= seen.first_token_at - seen.head_at > 0.045
        assert sum(record.gaps_s) == pytest.approx(record.last_output_at - record.first_output_at)


async def test_a_stall_is_seen_in_the_gaps() -> None:
    """The output behind it comes when it is over, and the figures of the run have it."""
    async with sim() as (running, aim):
        running.faults.add(["stall=0.4@4x1"])
        run = await play(Load(Closed(1), requests=5), aim, SOURCE)
        ((record, seen),) = pairs(running, run.records[:1])
    assert seen.fault_at is not None
    assert record.first_output_at is not None
    assert record.first_output_at + sum(record.gaps_s[:4]) >= seen.fault_at + 0.39
    spread = summarize(run.records, run.duration_s).times["e2el"]
    assert spread is not None
    assert spread.most >= (record.e2e_s or 0) >= 0.39


async def test_an_open_loop_does_not_wait_for_answers() -> None:
    """Requests are sent while none is answered, and count from the moment at which they should have been."""
    async with sim() as (running, aim):
        running.faults.add(["wedge"])
        playing = asyncio.gather(play(Load(Open(100, pattern=Pattern.CONSTANT), requests=20), aim, SOURCE))
        await until(lambda: running.log.in_flight == 20, within_s=20)
        await running.faults.clear()
        (run,) = await playing
    planned = [each.planned_at - run.began_at for each in run.records]
    assert planned == pytest.approx([number / 100 for number in range(20)])
    assert all(each.sent_at is not None and each.sent_at >= each.planned_at for each in run.records)
    assert all(each.is_good for each in run.records)


async def test_a_client_that_is_held_up_says_so() -> None:
    """What it lost is in the figures of the requests, and its own figures name it: nothing is omitted."""
    async with sim() as (running, aim):
        playing = asyncio.gather(play(Load(Open(200, pattern=Pattern.CONSTANT), requests=100), aim, SOURCE))
        await until(lambda: running.log.requests_total > 2, within_s=20)
        time.sleep(0.1)  # noqa: ASYNC251 - the load is to be held up
        (run,) = await playing
    late = [each for each in run.records if each.late_s > 0.03]
    assert len(late) >= 5
    assert all(each.ttft_s is not None and each.ttft_s > each.late_s for each in late)
    assert run.cost.send_lag_p99_s > 0.03
    assert run.cost.limit is not None


async def test_conversations_go_on_in_an_open_loop() -> None:
    """A request is the next turn of one that waits, so that the rate is that of requests."""
    source = Synthetic(Shape(5, 2, turns=3), seed=1)
    async with sim() as (_, aim):
        run = await play(Load(Open(20, pattern=Pattern.CONSTANT), requests=9), aim, source)
    assert len(run.records) == 9
    assert {each.turn for each in run.records} >= {0, 1}


@pytest.mark.parametrize(
    ("asking", "outputs"),
    [
        (Asking(is_stream=False, ignores_eos=True), 8),
        (Asking(Endpoint.COMPLETIONS, ignores_eos=True), 8),
        (Asking(Endpoint.EMBEDDINGS), 0),
    ],
)
async def test_every_route_is_measured(asking: Asking, outputs: int) -> None:
    """In one piece, as a stream, and as an embedding."""
    async with sim() as (running, aim):
        model = "sim-embed" if asking.endpoint is Endpoint.EMBEDDINGS else "sim-small"
        run = await play(Load(Closed(1), requests=2), Aim(aim.target, asking, (model,)), SOURCE)
        assert {each.target for each in running.log.requests} == {asking.endpoint.path}
    assert {(each.error, each.output_tokens, each.ttft_s is None) for each in run.records} == {
        (None, outputs, not asking.streams)
    }
    assert all(each.e2e_s for each in run.records)


async def test_nobody_there_is_measured_too() -> None:
    """As so many failures."""
    aim = Aim(Target("127.0.0.1", 1), Asking(), ("m",))
    run = await play(Load(Closed(2), requests=4), aim, SOURCE)
    assert [each.error for each in run.records] == ["connect"] * 4
