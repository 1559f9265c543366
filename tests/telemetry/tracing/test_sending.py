"""OpenTelemetry's own part, before a real collector's endpoint."""

import asyncio

import pytest

from tests.telemetry.tracing.collector import CLIENT, SERVER, collecting
from vllm_gateway.telemetry.tracing.context import Context
from vllm_gateway.telemetry.tracing.sending import OtelOutlet
from vllm_gateway.telemetry.tracing.spans import Kind, Span
from vllm_gateway.trail import Trace

TRACE = Trace(0xABC, 0xD, is_sampled=True, state=b"vendor=1,other=2", span=1)


def span(kind: Kind = Kind.SERVER, **changes: int) -> Span:
    """Return a span of one second."""
    return Span(
        "POST /v1/chat/completions",
        kind,
        id=changes.get("id", 1),
        parent=changes.get("parent", 0xD),
        is_parent_remote=True,
        began=1_700_000_000.5,
        ended=1_700_000_001.5,
        attributes={"text": "word", "count": 3, "share": 0.5, "yes": True},
        is_error=True,
    )


async def test_spans_arrive_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, times, kinds, values and all; compressed too, where the environment wants that."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collector")
    async with collecting(monkeypatch) as collector:
        outlet = OtelOutlet(["otlp"], every_s=1)
        is_sent = await asyncio.to_thread(outlet.send, [(TRACE, span()), (TRACE, span(Kind.CLIENT, id=2, parent=0))])
        outlet.close()
    assert is_sent
    server, client = collector.spans
    assert (server.trace, server.id, server.parent) == (f"{0xABC:032x}", f"{1:016x}", f"{0xD:016x}")
    assert (server.kind, client.kind, client.parent) == (SERVER, CLIENT, "")
    assert (server.began, server.ended) == (1_700_000_000_500_000_000, 1_700_000_001_500_000_000)
    assert server.told == {"text": "word", "count": 3, "share": 0.5, "yes": True}
    assert (server.is_error, server.state) == (True, "vendor=1,other=2")
    assert collector.heads[0].startswith(b"POST /v1/traces ")
    assert b"authorization: Bearer collector" in collector.heads[0]


async def test_whose_spans_they_are_is_said_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name there it is the gateway's own."""
    async with collecting(monkeypatch) as collector:
        for said in ("", "service.name=front,deployment.environment=test"):
            monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", said)
            outlet = OtelOutlet(["otlp"], every_s=1)
            await asyncio.to_thread(outlet.send, [(TRACE, span())])
            outlet.close()
            name = "front" if said else "vllm-gateway"
            assert collector.resource["service.name"] == name
    assert collector.resource["deployment.environment"] == "test"


async def test_a_collector_that_refuses_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spans are lost, and nothing is raised."""
    async with collecting(monkeypatch) as collector:
        collector.status = "400 Bad Request"
        outlet = OtelOutlet(["otlp"], every_s=1)
        assert not await asyncio.to_thread(outlet.send, [(TRACE, span())])
        outlet.close()


@pytest.mark.parametrize(
    ("sampler", "parent", "is_sampled"),
    [
        ("", None, True),
        ("", True, True),
        ("", False, False),
        ("always_on", False, True),
        ("always_off", True, False),
        ("parentbased_always_off", None, False),
        ("parentbased_always_off", True, True),
    ],
)
def test_the_sampler_is_said_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, sampler: str, parent: bool | None, is_sampled: bool
) -> None:
    """By default the caller decides, and where there is none, everything is sampled."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler or "parentbased_always_on")
    outlet = OtelOutlet([], every_s=1)
    above = None if parent is None else Context(5, 6, is_sampled=parent)
    assert outlet.decide(5, above, "/v1/chat/completions") is is_sampled
    outlet.close()
