"""A collector of traces: takes what OpenTelemetry's exporters send over HTTP, and decodes it."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.scripted import Visit, scripted

SERVER, CLIENT = 2, 3
"""Kinds of spans, as the protocol has them."""
ERROR = 2


@dataclass(frozen=True)
class Seen:
    """One span that arrived."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    """Empty: it has none."""
    state: str
    began: int
    ended: int
    is_error: bool
    told: dict[str, Any]
    """Its attributes."""


@dataclass
class Collector:
    """What has arrived, and where."""

    url: str = ""
    status: str = "200 OK"
    """What it answers with."""
    heads: list[bytes] = field(default_factory=list)
    spans: list[Seen] = field(default_factory=list)
    resource: dict[str, Any] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)

    def of(self, kind: int, name: str = "") -> list[Seen]:
        """Return the spans of a kind, in the order in which they began."""
        found = [span for span in self.spans if span.kind == kind and name in span.name]
        return sorted(found, key=lambda span: span.began)

    @property
    def servers(self) -> list[Seen]:
        """The spans of requests."""
        return self.of(SERVER)

    def take(self, request: bytes) -> None:
        """Read what one POST brought."""
        head, _, body = request.partition(b"\r\n\r\n")
        self.heads.append(head)
        if not self.status.startswith("200"):
            return
        body = gzip.decompress(body) if b"content-encoding: gzip" in head.lower() else body
        self.bodies.append(body)
        told = ExportTraceServiceRequest.FromString(body)
        for group in told.resource_spans:
            self.resource = _values(group.resource.attributes)
            self.spans += [_seen(span) for scope in group.scope_spans for span in scope.spans]


@asynccontextmanager
async def collecting(monkeypatch: pytest.MonkeyPatch, *, every_ms: int = 10) -> AsyncIterator[Collector]:
    """Run a collector, and have the environment say that spans go there, and often."""
    collector = Collector()

    async def answer(visit: Visit) -> None:
        while True:
            collector.take(await visit.request())
            await visit.say_json(b"", collector.status)

    async with scripted(answer) as server:
        collector.url = f"http://127.0.0.1:{server.port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", str(every_ms))
        yield collector


def _seen(span: Any) -> Seen:  # noqa: ANN401 - as protobuf makes it
    return Seen(
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        state=span.trace_state,
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        is_error=span.status.code == ERROR,
        told=_values(span.attributes),
    )


def _values(attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - as protobuf makes it
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
