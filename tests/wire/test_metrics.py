"""What the metrics say of requests that went through a gateway: they add up, and every name is there."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.gateway import Gateway
from tests.waiting import until
from tests.wire.several import CHAT, HELLO, QUICK, several
from tests.wire.sims import fast, fleet
from tests.wire.streams import Streamed
from tests.wire.test_earlier_deployments import replica
from tests.wire.test_queue import Small
from tests.wire.test_queue import ask as ask_for_a_place
from vllm_gateway.clock import SystemClock
from vllm_gateway.telemetry.usage.sqlite import SqliteStore
from vllm_gateway.telemetry.usage.statements import TABLE
from vllm_gateway.telemetry.usage.writer import Writer

Page = dict[str, dict[tuple[str, ...], float]]


async def scraped(door: Gateway) -> Page:
    """Return the page: values under names and labels' values."""
    return read((await door.http.get("/metrics")).text)


def read(text: str) -> Page:
    """Return what a page says."""
    found: Page = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


async def ask(door: Gateway, **fields: Any) -> int:  # noqa: ANN401 - any field
    """Ask; return the status."""
    return (await door.http.post(CHAT, json={**HELLO, **fields})).status_code


async def a_scripted_hour(door: Gateway, sims: list[Any]) -> int:
    """Let all kinds of things happen; return how many requests that were."""
    await asyncio.gather(*(ask(door) for _ in range(20)), *(ask(door, stream=True) for _ in range(20)))
    for number in range(10):
        await ask(door, model=f"invented-{number}")
    for _ in range(5):
        await door.http.post(CHAT, content=b"{")
    sims[0].faults.add(["status=500x2"])
    sims[1].faults.add(["status=500x1"])
    for _ in range(5):
        await ask(door)
    sims[0].faults.add(["eof@3x1"])
    await asyncio.gather(*(ask(door, stream=True, max_tokens=20) for _ in range(4)))
    leaving = Streamed(door.http, "Hello", tokens=500)
    await until(lambda: bool(leaving.text), within_s=20)
    leaving.task.cancel()
    await door.http.post("/v1/embeddings", json={"model": "sim-embed", "input": "a"})
    await until(lambda: not door.parts.ledger.live, within_s=20)
    return 20 + 20 + 10 + 5 + 5 + 4 + 1 + 1


async def test_requests_are_the_sum_of_outcomes_and_of_ledger_rows(tmp_path: Path) -> None:
    """And so are durations, tokens and attempts: each source counts what the others count."""
    path = tmp_path / "usage.sqlite"
    store = SqliteStore(path, limit_s=5)
    writer = Writer(store, keep_days=0, clock=SystemClock())
    writer.open()
    kind = fast(itl_ms=1)
    async with fleet(kind, kind) as (sims, door):
        door.parts.ledger.told.append(writer.take)
        asked = await a_scripted_hour(door, sims)
        page = await scraped(door)
        outcomes, attempts = dict(door.parts.ledger.outcomes), door.parts.pool.tally.attempts.total()
    await writer.close()
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        columns = "outcome, status, prompt_tokens, completion_tokens, attempts, first_token_s"
        rows = connection.execute(f"SELECT {columns} FROM {TABLE}").fetchall()  # noqa: S608 - constants
    counted = page["gateway_requests_total"]
    assert sum(counted.values()) == len(rows) == sum(outcomes.values()) == asked
    for outcome, number in outcomes.items():
        assert sum(value for labels, value in counted.items() if labels[-1] == outcome) == number
        assert sum(row[0] == outcome for row in rows) == number
    assert {labels[2] for labels in counted} == {f"{row[1] // 100}xx" for row in rows}
    assert sum(page["gateway_request_duration_seconds_count"].values()) == asked
    assert sum(page["gateway_errors_total"].values()) == sum(row[1] >= 400 for row in rows)
    tokens = page["gateway_tokens_total"]
    assert sum(value for labels, value in tokens.items() if labels[1] == "input") == sum(row[2] for row in rows)
    assert sum(value for labels, value in tokens.items() if labels[1] == "output") == sum(row[3] for row in rows)
    assert sum(page["gateway_upstream_attempts_total"].values()) == attempts
    assert sum(page["gateway_time_to_first_token_seconds_count"].values()) == sum(row[5] is not None for row in rows)
    assert page["gateway_client_disconnects_total"] == {("stream",): 1}
    assert page["gateway_resumes_total"] == {("resumed", "upstream_interrupted"): 1}
    assert {labels[1] for labels in counted} == {"sim-small", "sim-embed", "other"}


async def test_invented_models_add_no_series() -> None:
    """Nothing that a caller writes becomes a label; ten thousand of them are tried without the sockets."""
    async with fleet() as (_, door):
        await ask(door, model="invented")
        before = len((await door.http.get("/metrics")).text.splitlines())
        for number in range(0, 300, 50):
            await asyncio.gather(*(ask(door, model=f"invented-{number + each}") for each in range(50)))
        page = await scraped(door)
        assert page["gateway_errors_total"] == {("model_not_found",): 301}
        assert len((await door.http.get("/metrics")).text.splitlines()) == before


async def test_what_waits_for_a_replica_is_told() -> None:
    """How many wait now, and how long those that had to have waited; what is refused is counted with its reason."""
    async with Small(1, fast(itl_ms=5), queue={"size": 1}) as (sim, door):
        tasks = [asyncio.get_running_loop().create_task(ask_for_a_place(door, max_tokens=200)) for _ in range(2)]
        await until(lambda: door.parts.scraping._parts.turnstile.waiting == 1, within_s=20)
        assert (await ask_for_a_place(door)).status_code == 503
        page = await scraped(door)
        assert page["gateway_queue_depth"] == {(): 1}
        assert page["gateway_inflight_requests"] == {(): 2}
        assert page["gateway_errors_total"] == {("queue_full",): 1}
        for task in tasks:
            assert (await task).status_code == 200
        page = await scraped(door)
        assert page["gateway_queue_wait_seconds_count"] == {(): 1}
        assert page["gateway_queue_depth"] == {(): 0}
        assert len(sim.log.requests) > 2


async def test_what_a_limit_refuses_is_told_with_its_name() -> None:
    """And whose limit it is, not who that is."""
    limits = {"requests_per_minute": 2, "models": {"sim-small": {"tokens_per_minute": 10_000}}}
    async with fleet(limits=limits) as (_, door):
        statuses = [await ask(door) for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        assert await ask(door, max_tokens=100_000) in {400, 429}
        page = await scraped(door)
    assert page["gateway_ratelimit_rejections_total"]["requests_per_minute", "ip"] >= 2
    assert (
        sum(page["gateway_ratelimit_rejections_total"].values()) == page["gateway_errors_total"]["rate_limit_exceeded",]
    )


async def test_the_gateways_own_time_is_told_by_phase() -> None:
    """A request that was answered went through all of them; what it waited for is not among them."""
    async with fleet() as (_, door):
        assert await ask(door) == 200
        await door.http.post(CHAT, content=b"{")
        counts = (await scraped(door))["gateway_overhead_seconds_count"]
    assert counts == {("auth",): 2, ("read",): 1, ("route",): 1, ("connect",): 1}


async def test_one_scrape_tells_of_all_processes(tmp_path: Path) -> None:
    """Whichever worker takes it; when one is killed, no count goes back."""
    async with replica(QUICK) as sim, several(tmp_path, sim.url) as door:

        async def requests() -> float:
            text = (await door.http.get("/metrics", headers={"connection": "close"})).text
            return sum(read(text).get("gateway_requests_total", {}).values())

        assert set(await door.statuses(30)) == {200}
        assert [await requests() for _ in range(6)] == [30.0] * 6
        assert (await door.admin.get("/metrics")).status_code == 200
        await door.killed(door.workers[0])
        seen = [await requests() for _ in range(6)]
        assert set(await door.statuses(10)) == {200}
        seen.append(await requests())
        assert seen == [30.0] * 6 + [40.0]
        assert await door.stopped() == 0
