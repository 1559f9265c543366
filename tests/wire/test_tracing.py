"""Traces through a whole gateway: from the caller's, over every replica that was asked, to a collector."""

import asyncio
import sys
from typing import Any

import pytest

from tests.telemetry.tracing.collector import CLIENT, Collector, collecting
from tests.waiting import until
from tests.wire.programs import CLEAN
from tests.wire.sims import fast, fleet
from vllm_gateway.sim import RunningSim

CHAT = "/v1/chat/completions"
BODY = {"model": "sim-small", "messages": [{"role": "user", "content": "secret words"}], "max_tokens": 3}
ON: dict[str, Any] = {"tracing": {"enabled": True}}
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def parents(sim: RunningSim) -> list[str]:
    """Return the `traceparent` of each chat that reached a replica; empty where there was none."""
    return heard(sim, "traceparent")


def heard(sim: RunningSim, name: str) -> list[str]:
    """Return a header of each chat that reached a replica; empty where there was none."""
    return [seen.header(name) or "" for seen in sim.log.requests if seen.target == CHAT]


def below(collector: Collector, parent: str) -> list[str]:
    """Return the ids of the spans right below one, in the order of their beginnings."""
    return [span.id for span in collector.of(CLIENT) if span.parent == parent]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_callers_trace_goes_on_to_the_replica(monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    """The replica hears of the span of its own call, with the caller's state beside it."""
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1", "baggage": "secret=1"}
    async with collecting(monkeypatch) as collector, fleet(fast(), **ON) as ((sim,), door):
        await door.http.post(CHAT, json={**BODY, "stream": stream}, headers=headers)
        await until(lambda: len(collector.spans) == 3)
    (server,) = collector.servers
    (model,) = below(collector, server.id)
    (call,) = below(collector, model)
    assert (server.trace, server.parent, server.state) == (TRACE, SPAN, "vendor=1")
    assert {span.trace for span in collector.spans} == {TRACE}
    assert parents(sim) == [f"00-{TRACE}-{call}-01"]
    assert (heard(sim, "tracestate"), heard(sim, "baggage")) == (["vendor=1"], [""])


async def test_every_replica_that_was_asked_is_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below one span of the model, with the error of the one that failed."""
    kinds = fast(faults=("status=500",)), fast()
    async with (
        collecting(monkeypatch) as collector,
        fleet(*kinds, balance={"policy": "round_robin"}, **ON) as (_, door),
    ):
        await door.http.post(CHAT, json=BODY)
        await until(lambda: len(collector.spans) == 4)
    (server,), (model,) = collector.servers, collector.of(CLIENT, "chat ")
    failed, answered = (span for span in collector.of(CLIENT) if span.parent == model.id)
    assert (model.name, model.parent, model.is_error) == ("chat sim-small", server.id, False)
    assert (failed.is_error, failed.told["error.type"], failed.told["gateway.replica"]) == (
        True,
        "upstream_error",
        "default-1",
    )
    assert failed.told["http.response.status_code"] == 500
    assert (answered.is_error, answered.told["http.request.resend_count"]) == (False, 1)
    assert server.told["gateway.outcome"] == "ok_retried"
    assert failed.ended <= answered.began


async def test_what_the_caller_does_not_sample_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replica hears that too, and nothing else changes."""
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-00"}
    async with collecting(monkeypatch) as collector, fleet(fast(), **ON) as ((sim,), door):
        await door.http.post(CHAT, json=BODY, headers=headers)
        await door.http.post(CHAT, json=BODY)
        await until(lambda: len(collector.spans) == 3)
    assert TRACE not in {span.trace for span in collector.spans}
    unsampled, own = parents(sim)
    assert (unsampled[:36], unsampled[-3:]) == (f"00-{TRACE}-", "-00")
    assert own[-3:] == "-01"


@pytest.mark.parametrize("settings", [{}, {"tracing": {"enabled": True, "to_replicas": False}}])
async def test_a_replica_hears_nothing_unless_it_shall(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """Neither without traces, nor where they end here; whatever the caller sends."""
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
    async with collecting(monkeypatch) as collector, fleet(fast(), **settings) as ((sim,), door):
        await door.http.post(CHAT, json=BODY, headers=headers)
        await until(lambda: len(collector.spans) == (3 if settings else 0))
    assert (parents(sim), heard(sim, "tracestate")) == ([""], [""])


async def test_what_is_said_is_told_when_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many bytes and no more; otherwise nothing."""
    for most in (0, 70):
        async with (
            collecting(monkeypatch) as collector,
            fleet(fast(), tracing={"enabled": True, "content_bytes": most}) as (_, door),
        ):
            await door.http.post(CHAT, json=BODY)
            await until(lambda: len(collector.spans) == 3)
        (model,) = collector.of(CLIENT, "chat ")
        assert len(model.told.get("gen_ai.input.messages", "")) == most
        assert any(b"secret" in body for body in collector.bodies) is bool(most)


async def test_requests_that_reach_no_replica_are_traced_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one span each."""
    async with collecting(monkeypatch) as collector, fleet(fast(), **ON) as (_, door):
        await door.http.post(CHAT, json={**BODY, "model": "unknown"})
        await door.http.post("/v1/messages", json={})
        await until(lambda: len(collector.servers) == 2)
    assert [(span.name, span.told["http.response.status_code"], span.is_error) for span in collector.servers] == [
        (f"POST {CHAT}", 404, False),
        ("POST /v1/messages", 400, False),
    ]
    assert not collector.of(CLIENT)


async def test_a_gateway_that_could_not_send_traces_says_so_and_ends() -> None:
    """In one line, with what to do."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "vllm_gateway", "serve", "--port", "0"),
        env=CLEAN | {"GATEWAY_TRACING__ENABLED": "true", "OTEL_TRACES_EXPORTER": "zipkin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    (line,) = said.decode().splitlines()
    assert process.returncode == 1
    assert "OTEL_TRACES_EXPORTER names 'zipkin'. Known are otlp, console, none." in line


async def test_callers_notice_nothing_of_a_collector_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """They get their answers, and the gateway comes to its end."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    async with fleet(fast(), **ON) as (_, door):
        replies = [await door.http.post(CHAT, json=BODY) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200] * 3
