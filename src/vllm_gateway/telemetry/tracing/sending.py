"""OpenTelemetry's own part: its sampler, its exporters, its form of a span. Its variables (`OTEL_...`) set all three.

Spans are made here whole, of what was noted, because they are made when all is over; so its tracer has no part in it.
It needs the extra `otel`: only `choose.py` imports this, when traces are wanted.
"""

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState
from typing_extensions import override

from vllm_gateway import __version__
from vllm_gateway.telemetry.tracing.context import Context
from vllm_gateway.telemetry.tracing.spans import Kind, Span
from vllm_gateway.trail import Trace

_NANOSECONDS = 1_000_000_000
_SAMPLED, _NOT_SAMPLED = TraceFlags(TraceFlags.SAMPLED), TraceFlags(TraceFlags.DEFAULT)
_KINDS = {Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT}
_SCOPE = InstrumentationScope("vllm_gateway", __version__)
EXPORTERS: dict[str, type[SpanExporter]] = {"otlp": OTLPSpanExporter, "console": ConsoleSpanExporter}


class OtelOutlet:
    """Sends spans by OpenTelemetry's exporters."""

    def __init__(self, exporters: Sequence[str], *, every_s: float) -> None:
        """Send by each of `exporters`, which are names of `EXPORTERS`."""
        self.every_s = every_s
        self._resource = _Resource(_resource())
        self._sampler = TracerProvider(resource=self._resource, shutdown_on_exit=False).sampler
        self._exporters = [EXPORTERS[name]() for name in exporters]

    def decide(self, trace: int, parent: Context | None, name: str) -> bool:
        """Ask the sampler, which knows what the caller has decided."""
        above = None
        if parent is not None:
            flags = _SAMPLED if parent.is_sampled else _NOT_SAMPLED
            remote = SpanContext(parent.trace, parent.span, is_remote=True, trace_flags=flags)
            above = set_span_in_context(NonRecordingSpan(remote))
        return self._sampler.should_sample(above, trace, name, SpanKind.SERVER).decision is Decision.RECORD_AND_SAMPLE

    def send(self, spans: Sequence[tuple[Trace, Span]]) -> bool:
        """Send them by every exporter."""
        made = [self._made(trace, span) for trace, span in spans]
        results = [exporter.export(made) for exporter in self._exporters]
        return all(result is SpanExportResult.SUCCESS for result in results)

    def close(self) -> None:
        """Give up what is being sent."""
        for exporter in self._exporters:
            exporter.shutdown()

    def _made(self, trace: Trace, span: Span) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=_context(trace, span.id, is_remote=False),
            parent=_context(trace, span.parent, is_remote=span.is_parent_remote) if span.parent else None,
            resource=self._resource,
            attributes=span.attributes,
            kind=_KINDS[span.kind],
            instrumentation_scope=_SCOPE,
            status=Status(StatusCode.ERROR if span.is_error else StatusCode.UNSET),
            start_time=int(span.began * _NANOSECONDS),
            end_time=int(span.ended * _NANOSECONDS),
        )


class _Resource(Resource):
    """One whose hash is reckoned once, and not again for every span."""

    def __init__(self, other: Resource) -> None:
        super().__init__(other.attributes, other.schema_url)
        self._hash = hash(other)

    @override
    def __hash__(self) -> int:
        return self._hash

    @override
    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)


def _context(trace: Trace, span: int, *, is_remote: bool) -> SpanContext:
    state = TraceState.from_header([trace.state.decode("ascii")]) if trace.state else None
    return SpanContext(trace.id, span, is_remote=is_remote, trace_flags=_SAMPLED, trace_state=state)


def _resource() -> Resource:
    """Return what the spans are of: what the environment says, and `vllm-gateway` where it gives no name."""
    said = OTELResourceDetector().detect().attributes
    return Resource.create({"service.name": "vllm-gateway", "service.version": __version__, **said})
