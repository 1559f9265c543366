"""Whoever counts requests counts the same: callers, metrics, the log, the usage ledger and the traces."""

import asyncio
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.telemetry.tracing.collector import CLIENT, Collector, collecting
from tests.waiting import PATIENCE_S, until
from tests.wire.busy_hour import KEY, PROMPT, WRONG, busy
from tests.wire.test_metrics import Page, read
from vllm_gateway import codec
from vllm_gateway.telemetry.usage.statements import TABLE

Told = list[dict[str, Any]]
_EVERY_KIND = {
    "ok",
    "ok_retried",
    "ok_resumed",
    "client_gone",
    "refused_limit",
    "refused_overload",
    "upstream_error",
    "upstream_truncated",
    "timeout",
    "bad_request",
    "auth",
}
_KEPT = "request_id, outcome, status, prompt_tokens, completion_tokens, attempts, resumed"


async def an_hour(folder: Path, collector: Collector) -> tuple[int, Page]:
    """Let it pass, and the gateway come to its end; return how many requests were sent, and the metrics."""
    async with busy(folder, collector.url) as (door, hour), httpx2.AsyncClient(base_url=door.url) as http:
        await hour.run()
        page = await at_rest(http, hour.sent)
        door.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(2 * PATIENCE_S):
            await door.process.wait()
        await until(lambda: len(collector.servers) >= hour.sent)
        return hour.sent, page


async def at_rest(http: httpx2.AsyncClient, sent: int) -> Page:
    """Return the metrics when all that was sent has arrived, and nothing is under way any more."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            page = read((await http.get("/metrics")).text)
            if sum(page["gateway_requests_total"].values()) >= sent and not page["gateway_inflight_requests"][()]:
                return page
            await asyncio.sleep(0.01)


def written(folder: Path) -> Told:
    """Return the rows of the ledger."""
    with closing(sqlite3.connect(folder / "usage.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT {_KEPT} FROM {TABLE}")]  # noqa: S608 - constants


def logged(folder: Path) -> Told:
    """Return the lines of requests."""
    lines = [codec.loads(line) for line in (folder / "gateway.log").read_text().splitlines()]
    return [line for line in lines if line["event"] == "request"]


def outcomes(told: Told) -> dict[str, tuple[str, int]]:
    """Return how each request ended, by its name; none is there twice."""
    by_id = {each["request_id"]: (each["outcome"], each["status"]) for each in told}
    assert len(by_id) == len(told)
    return by_id


def traced(collector: Collector) -> Told:
    """Return the spans of requests, in the words of the others."""
    return [
        {
            "request_id": span.told["gateway.request_id"],
            "outcome": span.told["gateway.outcome"],
            "status": span.told.get("http.response.status_code", 0),
        }
        for span in collector.servers
    ]


async def test_everybody_counts_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests, how each of them ended, their tokens, and the replicas that were asked; and nobody tells a secret."""
    async with collecting(monkeypatch) as collector:
        sent, page = await an_hour(tmp_path, collector)
    rows, lines = written(tmp_path), logged(tmp_path)
    assert outcomes(rows) == outcomes(lines) == outcomes(traced(collector))
    assert set(outcomes(rows)) == {f"request-{number:04}" for number in range(1, sent + 1)}

    counted: Counter[str] = Counter()
    for labels, value in page["gateway_requests_total"].items():
        counted[labels[-1]] += int(value)
    assert counted == Counter(row["outcome"] for row in rows)
    assert set(counted) >= _EVERY_KIND
    assert sum(page["gateway_request_duration_seconds_count"].values()) == sent

    for direction, name in (("input", "prompt_tokens"), ("output", "completion_tokens")):
        told = sum(value for labels, value in page["gateway_tokens_total"].items() if labels[1] == direction)
        assert told == sum(row[name] for row in rows) == sum(line[name] for line in lines) > 0
    calls = [span for span in collector.of(CLIENT) if span.name == "POST"]
    assert len(calls) == sum(page["gateway_upstream_attempts_total"].values())
    assert sum(row["attempts"] for row in rows) == sum(line["attempts"] for line in lines) == len(calls)
    assert len(collector.of(CLIENT, "chat ") + collector.of(CLIENT, "embeddings ")) == sum(
        row["attempts"] > 0 for row in rows
    )
    hits = sum(value for labels, value in page["gateway_cache_events_total"].items() if labels == ("hit",))
    assert hits == sum(line["cache"] == "hit" for line in lines) > 0

    texts = [(tmp_path / "gateway.log").read_bytes(), *collector.bodies]
    assert not any(secret.encode() in text for text in texts for secret in (KEY, WRONG, PROMPT))
